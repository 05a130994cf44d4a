"""Runs whose scores are measurements: no candidate leads for being lucky once. How times are taken: test_timing.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.fakes import TARGETS, NoisyExecutor, evolution, new_archive, workloads

from adrs import assess, runs
from adrs.archive.digest import digest
from adrs.archive.reader import ArchiveReader
from adrs.archive.store import Archive
from adrs.evaluation.outcome import Evaluation
from adrs.problem import Budget
from adrs.winner import choose_winner

CANDIDATES = 60
PLANNING = Path(__file__).parent / "support/planning/problem.yaml"


def run(path: Path, *budgets: int, timed: bool = True) -> tuple[Archive, list[tuple[str, str]]]:
    """One session a budget; the archive, and all that was measured as (source, workload)."""
    archive, submitted = new_archive(path), []
    for candidates in budgets:
        executor = NoisyExecutor()
        asyncio.run(evolution(archive, Budget(candidates=candidates), executor=executor, timed=timed).run())
        submitted += executor.submitted
    return archive, submitted


def measured(archive: Archive, id: int, repeat: int) -> list[float]:
    """Scores of one measurement of a candidate, on the workloads that have it."""
    code = archive.code_hash(id) or ""
    stored = [archive.evaluation(code, workload.hash, repeat) for workload in archive.workloads("train")]
    return [one.metrics["nearness"] for one in stored if one is not None and one.status == "ok"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, list[tuple[str, str]]]:
    return run(tmp_path_factory.mktemp("timed") / "a.sqlite", CANDIDATES)


def test_who_leads_was_measured_twice_and_the_worse_measurement_counts(
    finished: tuple[Archive, list[tuple[str, str]]],
) -> None:
    archive, _ = finished
    best = float("-inf")
    for candidate in archive.committed():
        if candidate.score is None or candidate.score <= best:
            continue
        best = candidate.score
        one, other = (measured(archive, candidate.id, repeat) for repeat in (0, 1))
        worse = [min(pair) for pair in zip(one, other, strict=True)]
        assert len(worse) == len(TARGETS)
        assert candidate.score == pytest.approx(sum(worse) / len(worse))
        assert list(candidate.scores.values()) == worse
    assert archive.top(1)[0][1] == best


def test_luck_alone_leads_nothing(finished: tuple[Archive, list[tuple[str, str]]]) -> None:
    """Some candidate was above the best at first, and fell back when it was measured again."""
    archive, _ = finished
    best, fallen = float("-inf"), 0
    for candidate in archive.committed():
        first = measured(archive, candidate.id, 0)
        if candidate.score is not None:
            fallen += candidate.score <= best < sum(first) / len(first)
            best = max(best, candidate.score)
    assert fallen


def test_only_who_may_lead_is_measured_twice(finished: tuple[Archive, list[tuple[str, str]]]) -> None:
    archive, submitted = finished
    twice = [one for one in archive.committed() if measured(archive, one.id, 1)]
    assert 0 < len(twice) < CANDIDATES / 3
    assert len(submitted) == archive.db.execute("SELECT count(*) FROM evaluation").fetchone()[0]


def test_a_resumed_run_measures_nothing_a_third_time(
    tmp_path: Path, finished: tuple[Archive, list[tuple[str, str]]]
) -> None:
    whole, measurements = finished
    archive, submitted = run(tmp_path / "a.sqlite", 5, 20, CANDIDATES)
    assert digest(archive) == digest(whole)
    assert sorted(submitted) == sorted(measurements)


@pytest.mark.parametrize(
    "second", [Evaluation("ok", {"nearness": -2.0}), Evaluation("timeout", error="slow")], ids=lambda one: one.status
)
def test_of_two_measurements_the_worse_counts_in_any_order(tmp_path: Path, second: Evaluation) -> None:
    archive = new_archive(tmp_path / "a.sqlite")
    first = Evaluation("ok", {"nearness": -1.0})
    for code, pair in {"a": (first, second), "b": (second, first)}.items():
        for repeat, evaluation in enumerate(pair):
            archive.record_evaluation(code, "w", evaluation, repeat)
        assert [archive.evaluation(code, "w", repeat) for repeat in (0, 1)] == list(pair)
        assert archive.evaluation(code, "w") == second


def test_finalists_are_measured_twice_on_validation(tmp_path: Path) -> None:
    archive, _ = run(tmp_path / "a.sqlite", 20)
    cascade = evolution(archive, Budget(), executor=NoisyExecutor(), timed=True).cascade
    winner = asyncio.run(choose_winner(archive, cascade, workloads("validation")))
    assert winner is not None
    code = archive.code_hash(winner.id) or ""
    pairs = [[archive.evaluation(code, one.hash, repeat) for repeat in (0, 1)] for one in workloads("validation")]
    worse = [min(one.metrics["nearness"] for one in pair if one is not None) for pair in pairs]
    assert all(None not in pair for pair in pairs)
    assert winner.validation == pytest.approx(sum(worse) / len(worse))


def test_without_timed_nothing_is_measured_twice(tmp_path: Path) -> None:
    archive, _ = run(tmp_path / "a.sqlite", 20, timed=False)
    assert not any(measured(archive, one.id, 1) for one in archive.committed())


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of a timed problem."""
    directory = tmp_path_factory.mktemp("planned") / "run"
    runs.evolve(PLANNING, proposer="offline", budget=Budget(candidates=3), run=directory)
    return directory


def test_a_real_run_prices_time_and_measures_its_leader_twice(planned: Path) -> None:
    archive = ArchiveReader.read(planned / "archive.sqlite")
    best = archive.candidate(archive.top(1)[0][0])
    assert best.metrics["efficiency"] == pytest.approx(1.0)
    assert 0 < best.metrics["net"] < 1
    code = archive.code_hash(best.id) or ""
    for split in ("train", "validation"):
        for workload in archive.workloads(split):
            assert None not in [archive.evaluation(code, workload.hash, repeat) for repeat in (0, 1)]
    frame = archive.to_pandas().evaluations
    assert set(frame["repeat"]) == {0, 1}
    assert (frame["seconds"] == frame["metric.planning_seconds"])[frame["status"] == "ok"].all()


def test_check_says_of_a_timed_problem_that_it_is_timed() -> None:
    checked = assess.check(PLANNING)
    assert checked.timed
    assert [one.status for one in checked.policies] == ["ok", "ok"]
    seed, sorting = checked.policies
    assert sorting.score is not None and seed.score is not None
    assert sorting.score > seed.score
    assert sorting.seconds < seed.seconds / 2


@pytest.mark.slow
def test_verify_compares_what_it_has_measured_in_one_sitting(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # the ledger
    verified = assess.verify(planned, 0)
    [seed, sorting] = verified.result.comparisons
    assert seed.difference == 0.0
    assert verified.result.verdict == "worse"
    assert sorting.seconds < seed.seconds / 2
    assert verified.json()["seconds"] == seed.seconds
