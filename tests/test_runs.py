"""Runs on disk, with the real executor, the real proposers and a real HTTP server."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest
from proposers.llm_server import Behaviour, ScriptedServer
from support.llm import steady

from adrs import runs
from adrs.archive.digest import digest
from adrs.archive.locate import find_run, list_runs
from adrs.archive.lock import RunLock, holder
from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError, ProposerError
from adrs.problem import Budget
from adrs.review.lineage import lineage
from adrs.runs import evolve, resume
from adrs.session import Options, Result
from adrs.winner import leader

JOBS = Path(__file__).parent / "support/jobs"


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "jobs"
    shutil.copytree(JOBS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "problem.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 12 candidates, for reading."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    offline(JOBS / "problem.yaml", directory, candidates=12)
    return directory


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """The same, for a test that writes."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))


@pytest.fixture
def no_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADRS_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def offline(problem: Path, run: Path, candidates: int = 6, **more: object) -> Result:
    return evolve(problem, proposer="offline", budget=Budget(candidates=candidates), run=run, **more)  # type: ignore[arg-type]


class Stopped(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)


def reader(run: Path) -> ArchiveReader:
    return ArchiveReader.read(run / "archive.sqlite")


@pytest.mark.usefixtures("no_llm")
def test_without_a_model_the_run_is_offline_and_says_so(problem: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    result = evolve(problem, budget=Budget(candidates=5), run=tmp_path / "run", options=Options(announce=lines.append))
    assert any("offline" in line and "no LLM" in line for line in lines)
    assert (result.stopped, result.candidates) == ("candidates", 5)
    assert sum(result.outcomes.values()) == 6
    assert result.best.validation is not None
    archive = reader(tmp_path / "run")
    assert leader(archive) == result.best
    assert {w.split for w in archive.workloads("validation")} == {"validation"}
    log = (tmp_path / "run/run.log").read_text()
    assert "stopped: candidates" in log
    assert log.count("\n") >= 6


def test_the_number_of_jobs_changes_nothing(problem: Path, tmp_path: Path, finished: Path) -> None:
    offline(problem, tmp_path / "run", candidates=12, options=Options(jobs=1 if Options().jobs > 1 else 3))
    assert digest(reader(tmp_path / "run")) == digest(reader(finished))


def test_a_replay_gives_the_same_archive_and_ends_with_the_recording(
    problem: Path, tmp_path: Path, finished: Path
) -> None:
    result = evolve(problem, proposer=f"replay:{finished}", run=tmp_path / "again")
    assert result.stopped == "exhausted"
    assert digest(reader(finished)) == digest(reader(tmp_path / "again"))


def test_a_replay_onto_another_seed_is_refused(problem: Path, tmp_path: Path, finished: Path) -> None:
    seed = problem.with_name("seed.py")
    seed.write_text(seed.read_text().replace("0.5", "0.7"))
    with pytest.raises(InputError, match="another seed"):
        evolve(problem, proposer=f"replay:{finished}", run=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_run_of_an_llm_is_journaled_and_replayed_without_it(
    problem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ScriptedServer(steady) as server:
        result = evolve(
            problem, proposer="openai", model="local", base_url=server.base_url, lag=3,
            budget=Budget(candidates=12), run=tmp_path / "llm",
        )  # fmt: skip
        calls = server.calls
    assert result.stopped == "candidates"
    archive = reader(tmp_path / "llm")
    journaled = archive.db.execute("SELECT outcome, reply IS NOT NULL FROM llm_call").fetchall()
    assert journaled == [("ok", 1)] * calls
    assert result.llm.calls == calls >= 12
    assert result.llm.tokens > 0
    assert b"sk-test" not in (tmp_path / "llm/archive.sqlite").read_bytes()
    evolve(problem, proposer=f"replay:{tmp_path / 'llm'}", run=tmp_path / "again")
    assert digest(archive) == digest(reader(tmp_path / "again"))


def test_tokens_are_capped_with_the_calls_in_flight_counted_in(problem: Path, tmp_path: Path) -> None:
    with ScriptedServer(steady) as server:
        result = evolve(
            problem, proposer="openai", model="local", base_url=server.base_url, lag=2,
            budget=Budget(tokens=40_000), run=tmp_path / "llm",
        )  # fmt: skip
    assert result.stopped == "tokens"
    assert result.llm.tokens <= 40_000
    assert 0 < result.llm.calls == server.calls


def test_a_refused_key_ends_the_run_with_the_reason(problem: Path, tmp_path: Path) -> None:
    with (
        ScriptedServer(lambda request, n: Behaviour(status=401, reply="bad key")) as server,
        pytest.raises(ProposerError, match="401"),
    ):
        evolve(
            problem, proposer="openai", model="local", base_url=server.base_url,
            budget=Budget(candidates=5), run=tmp_path / "llm",
        )  # fmt: skip
    event = reader(tmp_path / "llm").last_event("stopped")
    assert event is not None
    assert "401" in event["reason"]


def test_dollars_need_a_known_price(problem: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="price"):
        evolve(problem, proposer="openai", model="nobody-knows", base_url="http://127.0.0.1:9/v1",
               budget=Budget(usd=1.0), run=tmp_path / "run")  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_resume_goes_on_as_one_long_run_would_and_keeps_the_budget_of_the_last_session(
    problem: Path, tmp_path: Path, finished: Path
) -> None:
    offline(problem, tmp_path / "parts", candidates=4)
    assert resume(tmp_path / "parts").candidates == 4
    assert resume(tmp_path / "parts", budget=Budget(candidates=12)).candidates == 12
    assert digest(reader(finished)) == digest(reader(tmp_path / "parts"))
    assert resume(tmp_path / "parts").candidates == 12


def test_resume_refuses_a_changed_evaluator_and_a_changed_problem(problem: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    offline(problem, run, candidates=1)
    evaluator = problem.with_name("evaluator.py")
    evaluator.write_text(evaluator.read_text().replace("range(12)", "range(13)"))
    with pytest.raises(InputError, match=r"evaluator has changed.* --from "):
        resume(run, budget=Budget(candidates=4))
    evaluator.write_text(evaluator.read_text().replace("range(13)", "range(12)"))
    interface = problem.with_name("interface.py")
    interface.write_text(interface.read_text().replace("highest", "lowest"))
    with pytest.raises(InputError, match=r"evaluator has changed.* --from "):
        resume(run, budget=Budget(candidates=4))
    problem.write_text(problem.read_text().replace("aggregate: mean", "aggregate: worst"))
    with pytest.raises(InputError, match=r"problem has changed.* --from "):
        resume(run, budget=Budget(candidates=4))


def test_a_warm_start_scores_the_elites_of_another_run_anew(problem: Path, tmp_path: Path, finished: Path) -> None:
    best = reader(finished).top(1)[0]
    evaluator = problem.with_name("evaluator.py")
    evaluator.write_text(evaluator.read_text() + "\n# another version\n")
    second = offline(problem, tmp_path / "second", candidates=8, warm_from=finished)
    archive = reader(tmp_path / "second")
    imported = [c for c in archive.committed() if c.operator == "import"]
    assert len(imported) == 8
    assert max(c.score for c in imported if c.score is not None) == best[1]
    assert second.seed_score == reader(finished).candidate(0).score
    descendant = lineage(tmp_path / "second", archive, imported[-1].id)
    assert [(step.parent, step.gain) for step in descendant.steps] == [(None, None)]


def test_a_run_is_not_begun_twice_in_one_place(problem: Path, copied: Path) -> None:
    with pytest.raises(InputError, match="adrs resume"):
        offline(problem, copied, candidates=1)


@pytest.mark.usefixtures("no_llm")
def test_runs_begun_in_the_same_second_have_directories_of_their_own(
    problem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "datetime", Stopped)
    (tmp_path / "runs/jobs-20260102-030405").mkdir(parents=True)
    assert evolve(problem, budget=Budget(candidates=1)).run.name == "jobs-20260102-030405-2"


def test_a_seed_that_fails_leaves_no_run_behind(problem: Path, tmp_path: Path) -> None:
    seed = problem.with_name("seed.py")
    seed.write_text(seed.read_text().replace("urgency = 0.5 * waited", "urgency = 1 / 0"))
    with pytest.raises(InputError, match="seed: crash under the problem's own limits: ZeroDivisionError"):
        offline(problem, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_that_was_killed_before_it_began_is_no_run(problem: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    sqlite3.connect(tmp_path / "run/archive.sqlite").close()
    assert offline(problem, tmp_path / "run", candidates=1).candidates == 1


@pytest.mark.usefixtures("no_llm")
def test_a_run_needs_a_budget(problem: Path, tmp_path: Path) -> None:
    problem.write_text(problem.read_text().replace("budget: {candidates: 40}", ""))
    with pytest.raises(InputError, match="no budget"):
        evolve(problem, run=tmp_path / "run")


@pytest.mark.usefixtures("no_llm")
def test_what_an_offline_run_cannot_heed_is_refused(problem: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="costs nothing"):
        evolve(problem, budget=Budget(usd=1.0, tokens=1000), run=tmp_path / "run")
    with pytest.raises(InputError, match="--base-url: offline asks no LLM"):
        evolve(problem, base_url="http://127.0.0.1:9/v1", run=tmp_path / "run")
    with pytest.raises(InputError, match="--proposer offlin: unknown"):
        evolve(problem, proposer="offlin", model="local", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_replay_takes_no_warm_start(problem: Path, tmp_path: Path, finished: Path) -> None:
    with pytest.raises(InputError, match="not both"):
        evolve(problem, proposer=f"replay:{finished}", warm_from=finished, run=tmp_path / "again")


def test_one_committer_at_a_time(copied: Path) -> None:
    assert holder(copied) is None
    with RunLock(copied):
        assert holder(copied) is not None
        with pytest.raises(InputError, match="is at work on this run"):
            resume(copied, budget=Budget(candidates=2))
    assert holder(copied) is None


def test_the_newest_run_is_found(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no run there"):
        find_run(None)
    for name in ("one", "other"):
        shutil.copytree(finished, tmp_path / "runs" / name)
    assert [run.name for run in list_runs()] == ["other", "one"]
    (tmp_path / "runs/one/archive.sqlite").touch()
    assert find_run(None).name == "one"
