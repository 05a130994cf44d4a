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


def offline(run: Path, log: Path, seed: int) -> list[str]:
    return [
        "evolve", str(PROBLEM), "--proposer", "offline", "--seed", str(seed), "--run", str(run),
        "--set", f"options.log={log}", "--set", "options.seconds=0.02",
    ]  # fmt: skip


def crash_and_compare(tmp_path: Path, candidates: int, kills: int, seed: int) -> int:
    log = tmp_path / "begun.log"
    undisturbed = tmp_path / "undisturbed"
    budget = ["--candidates", str(candidates)]
    process = _start([*offline(undisturbed, log, seed), *budget, "--json"])
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    run = tmp_path / "killed"
    log.unlink()
    campaign = Campaign(run, offline(run, log, seed), budget, log, random.Random(seed))
    campaign.to_the_end(kills)
    first, second = _reader(undisturbed), _reader(run)
    assert digest(first) == digest(second)
    assert first.count_committed() == second.count_committed() == candidates + 1
    return campaign.kills


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    assert crash_and_compare(tmp_path, candidates=12, kills=4, seed=1) >= 1


@pytest.mark.slow
def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    kills = 0
    for seed in range(2, 30):
        (tmp_path / str(seed)).mkdir()
        kills += crash_and_compare(tmp_path / str(seed), candidates=60, kills=50 - kills, seed=seed)
        if kills >= 50:
            break
    assert kills >= 50
