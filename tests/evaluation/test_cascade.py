"""The cascade: what is evaluated, what is raced, what is never repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.fakes import FakeExecutor, new_archive, workloads

from adrs.archive.records import Outcome
from adrs.archive.store import Archive
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.outcome import Limits
from adrs.problem import Objective
from adrs.proposers.base import Proposal


def cascade(archive: Archive, executor: FakeExecutor, **objective: str) -> Cascade:
    return Cascade(archive, executor, Objective("nearness", **objective), Limits(source_kb=1), workloads())  # type: ignore[arg-type]


def outcome(
    archive: Archive, executor: FakeExecutor, source: str, threshold: float | None = None, **objective: str
) -> Outcome:
    async def run() -> Outcome:
        parts = cascade(archive, executor, **objective)
        archive.record_proposal(0, Proposal("ok", source, "test"))
        code_hash, error = await parts.inspect(source)
        assert not error
        return await parts.run(code_hash, source, threshold)

    return asyncio.run(run())


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path / "a.sqlite")


def test_the_score_is_the_mean_over_the_workloads(archive: Archive) -> None:
    assert outcome(archive, FakeExecutor(), "x = 4.0") == Outcome("ok", pytest.approx(-2 / 3), evaluated=3)


def test_or_the_worst_of_them(archive: Archive) -> None:
    assert outcome(archive, FakeExecutor(), "x = 3.0", aggregate="worst") == Outcome("ok", -2.0, evaluated=3)


# x = 0 scores -3, -4, -5 (mean -4) under bounds of 0: its best possible means are -1, -7/3, -4
@pytest.mark.parametrize(
    ("threshold", "evaluated", "status"),
    [(-0.9, 1, "raced"), (-1.0, 2, "raced"), (-7 / 3, 3, "ok"), (-4.0, 3, "ok"), (None, 3, "ok")],
)
def test_racing_stops_exactly_when_no_bound_can_save_it(
    archive: Archive, threshold: float | None, evaluated: int, status: str
) -> None:
    executor = FakeExecutor()
    ended = outcome(archive, executor, "x = 0.0", threshold)
    assert (ended.status, ended.evaluated, len(executor.submitted)) == (status, evaluated, evaluated)
    assert (ended.score is None) == (status == "raced")


def test_a_failure_ends_it_at_once_and_has_no_score(archive: Archive) -> None:
    executor = FakeExecutor()
    ended = outcome(archive, executor, "x = -1.0")
    assert (ended.status, ended.score, ended.evaluated, len(executor.submitted)) == ("crash", None, 1, 1)
    assert "negative" in ended.error


def test_the_same_code_in_another_layout_is_not_evaluated_again(archive: Archive) -> None:
    executor = FakeExecutor()
    first = outcome(archive, executor, "x = 2.0")
    executor.slots = asyncio.Semaphore(2)
    assert outcome(archive, executor, "# a comment\nx  =  2.0") == first
    assert len(executor.submitted) == 3


def test_two_slots_at_once_share_one_evaluation(archive: Archive) -> None:
    executor = FakeExecutor(lambda: 0.01)

    async def both() -> list[Outcome]:
        parts = cascade(archive, executor)
        archive.record_proposal(0, Proposal("ok", "x = 2.0", "test"))
        code_hash, _ = await parts.inspect("x = 2.0")
        return await asyncio.gather(*(parts.run(code_hash, "x = 2.0", None) for _ in range(2)))

    first, second = asyncio.run(both())
    assert first == second
    assert len(executor.submitted) == 3


def test_a_source_past_its_size_is_invalid_and_never_parsed(archive: Archive) -> None:
    source = "x = 1.0  #" + "." * 1100
    archive.record_proposal(0, Proposal("ok", source, "test"))

    async def inspect() -> tuple[str, str]:
        return await cascade(archive, FakeExecutor()).inspect(source)

    assert "the limit is 1024" in asyncio.run(inspect())[1]
