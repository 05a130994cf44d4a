"""`kill -9` at random moments, resume, until the end: nothing is lost, repeated or left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from proposers.llm_server import Latency, ScriptedServer
from support.llm import steady
from support.processes import family, survivors

from adrs.archive.digest import digest
from adrs.archive.reader import ArchiveReader

ROOT = Path(__file__).parent
PROBLEM = ROOT / "support/jobs/problem.yaml"
JOBS = 2


@dataclass
class Campaign:
    """Kills a run again and again until it ends by itself."""

    run: Path
    begin: Sequence[str]  # arguments of `adrs evolve`
    budget: Sequence[str]
    log: Path  # of begun evaluations
    rng: random.Random
    kills: int = 0

    def to_the_end(self, most_kills: int) -> None:
        while not self._session(kill=self.kills < most_kills):
            self._check_archive()

    def _session(self, kill: bool) -> bool:
        """One process, perhaps killed. True when it ended by itself."""
        known, begun = self._stored(), self._begun()
        resumable = _is_run(self.run)
        command = ["resume", "-r", str(self.run), *self.budget] if resumable else [*self.begin, *self.budget]
        process = _start([*command, "--jobs", str(JOBS), "--json"])
        ended = self._kill_or_wait(process, kill)
        # what was stored is never evaluated again: all that was begun is stored now, but for one a job slot
        assert self._begun() - begun <= self._stored() - known + JOBS
        return ended

    def _kill_or_wait(self, process: subprocess.Popen[str], kill: bool) -> bool:
        if kill:
            time.sleep(self.rng.uniform(0.1, 2.0))
            tracked = family(process.pid)
            if process.poll() is None:
                self.kills += 1
                (os.killpg if self.rng.random() < 0.5 else os.kill)(process.pid, signal.SIGKILL)
                process.communicate()
                assert survivors(tracked, seconds=2.0) == set()
                return False
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert json.loads(out)["stopped"] == "candidates"
        return True

    def _check_archive(self) -> None:
        if not _is_run(self.run):
            return
        archive = _reader(self.run)
        commits = [
            n for (n,) in archive.db.execute("SELECT committed FROM candidate WHERE committed IS NOT NULL ORDER BY 1")
        ]
        assert commits == list(range(len(commits)))
        assert archive.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        archive.close()

    def _stored(self) -> int:
        if not _is_run(self.run):
            return 0
        archive = _reader(self.run)
        count: int = archive.db.execute("SELECT count(*) FROM evaluation").fetchone()[0]
        archive.close()
        return count

    def _begun(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


def _start(arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "typer_cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, **environment}, cwd=ROOT.parent,
    )  # fmt: skip


def _reader(run: Path) -> ArchiveReader:
    return ArchiveReader.read(run / "archive.sqlite")


def _is_run(run: Path) -> bool:
    """Whether a killed process got as far as a run that can be resumed."""
    file = run / "archive.sqlite"
    if not file.exists():
        return False
    with closing(sqlite3.connect(file)) as db:
        try:
            return bool(db.execute("SELECT count(*) FROM run").fetchone()[0])
        except sqlite3.OperationalError:  # killed before its tables were made
            return False


def through_llm(run: Path, log: Path, seed: int, base_url: str, lag: int) -> list[str]:
    return [
        "evolve", str(PROBLEM), "--proposer", "openai", "--model", "local", "--base-url", base_url, "--lag", str(lag),
        "--seed", str(seed), "--run", str(run), "--set", f"options.log={log}", "--set", "options.seconds=0.02",
    ]  # fmt: skip


def offline(run: Path, log: Path, seed: int) -> list[str]:
    return [
        "evolve", str(PROBLEM), "--proposer", "offline", "--seed", str(seed), "--run", str(run),
        "--set", f"options.log={log}", "--set", "options.seconds=0.02",
    ]  # fmt: skip


def undisturbed(run: Path, begin: Sequence[str], budget: Sequence[str]) -> ArchiveReader:
    """The same run without a kill."""
    process = _start([*begin, *budget, "--json"])
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return _reader(run)


def crash_and_compare(tmp_path: Path, candidates: int, kills: int, seed: int) -> int:
    log = tmp_path / "begun.log"
    budget = ["--candidates", str(candidates)]
    whole = undisturbed(tmp_path / "whole", offline(tmp_path / "whole", log, seed), budget)
    log.unlink()
    run = tmp_path / "killed"
    campaign = Campaign(run, offline(run, log, seed), budget, log, random.Random(seed))
    campaign.to_the_end(kills)
    assert digest(whole) == digest(_reader(run))
    assert whole.count_committed() == candidates + 1
    return campaign.kills


def found(archive: ArchiveReader) -> list[tuple[int, str, str, float | None]]:
    """What a run of an LLM found; its notes also count the calls that were lost."""
    return [(c.id, c.source, c.status, c.score) for c in archive.committed()]


def assert_no_reply_was_asked_for_again(archive: ArchiveReader, arrived: int, kills: int, lag: int) -> None:
    journaled = archive.db.execute("SELECT slot, messages, reply FROM llm_call ORDER BY id").fetchall()
    answered: set[tuple[int, bytes]] = set()
    for slot, messages, reply in journaled:
        assert (slot, messages) not in answered
        if reply is not None:
            answered.add((slot, messages))
    lost = sum(1 for _, _, reply in journaled if reply is None)
    assert lost <= kills * lag
    assert len(journaled) - lost <= arrived <= len(journaled)  # every call was journaled before it left
    reserved = archive.db.execute("SELECT sum(reserve_tokens) FROM llm_call WHERE reply IS NULL").fetchone()[0] or 0
    received = archive.db.execute("SELECT sum(prompt_tokens + reply_tokens) FROM llm_call").fetchone()[0]
    assert archive.llm_totals().tokens == reserved + received


def crash_llm(tmp_path: Path, candidates: int, kills: int, seed: int, lags: Sequence[int] = (1, 4)) -> int:
    """One call at a time makes a run of this LLM repeatable; four at a time make it race."""
    total = 0
    for lag in lags:
        folder = tmp_path / f"lag-{lag}"
        folder.mkdir()
        log, run, budget = folder / "begun.log", folder / "killed", ["--candidates", str(candidates)]
        with ScriptedServer(steady, Latency(median=0.1)) as server:
            campaign = Campaign(
                run, through_llm(run, log, seed, server.base_url, lag), budget, log, random.Random(seed)
            )
            campaign.to_the_end(kills)
            archive = _reader(run)
            assert_no_reply_was_asked_for_again(archive, server.calls, campaign.kills, lag)
            if lag == 1:
                begin = through_llm(folder / "whole", log, seed, server.base_url, lag)
                assert found(undisturbed(folder / "whole", begin, budget)) == found(archive)
        again = folder / "again"
        replay = ["evolve", str(PROBLEM), "--proposer", f"replay:{run}", "--run", str(again),
                  "--set", f"options.log={log}", "--set", "options.seconds=0.02"]  # fmt: skip
        assert digest(undisturbed(again, replay, [])) == digest(archive)
        total += campaign.kills
    return total


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    assert crash_and_compare(tmp_path, candidates=12, kills=2, seed=1) >= 1


@pytest.mark.slow
def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    kills = 0
    for seed in range(2, 30):
        (tmp_path / str(seed)).mkdir()
        kills += crash_and_compare(tmp_path / str(seed), candidates=60, kills=50 - kills, seed=seed)
        if kills >= 50:
            break
    assert kills >= 50


def test_a_few_kills_lose_no_reply(tmp_path: Path) -> None:
    assert crash_llm(tmp_path, candidates=6, kills=1, seed=1, lags=[4]) >= 1


@pytest.mark.slow
def test_fifty_kills_lose_no_reply(tmp_path: Path) -> None:
    kills = 0
    for seed in range(2, 30):
        (tmp_path / str(seed)).mkdir()
        kills += crash_llm(tmp_path / str(seed), candidates=40, kills=15, seed=seed)
        if kills >= 50:
            break
    assert kills >= 50
