"""Seed and baselines of admission: true to their sources, and improvable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from adrs.testing.direct import DirectPolicy
from evaluators.transactions import TransactionAdmission
from evaluators.transactions.admission.interface import Pending, Running

SEEDS = Path(__file__).parents[2] / "seeds" / "transaction_admission"


def ask(name: str, pending: list[str], running: Sequence[tuple[str, int, bool]] = ()) -> int:
    """The answer at time 100 about pending transactions 0, 1, ... and running ones: operations, position, waiting."""
    return int(
        source(SEEDS / f"{name}.py").call(
            "next_transaction",
            100.0,
            [Pending(i, "test", *operations(text), 10.0 + i, 0) for i, text in enumerate(pending)],
            [
                Running(50 + i, "test", *operations(text), 5.0, 0, 90.0, position, waiting)
                for i, (text, position, waiting) in enumerate(running)
            ],
        )
    )


def source(path: Path) -> DirectPolicy:
    return DirectPolicy.from_source(path.read_text())


def operations(text: str) -> tuple[list[int], list[bool]]:
    return [ord(each[1]) for each in text.split()], [each[0] == "w" for each in text.split()]


def test_simple_orders() -> None:
    assert ask("first_come", ["wa wb", "wa"]) == 0
    assert ask("shortest_first", ["wa wb", "wa", "wb"]) == 1
    assert ask("random_order", ["wa"] * 9) in range(9)


def test_conservative_locking_starts_the_first_that_needs_no_lock_in_use() -> None:
    running = [("ra wb rc", 0, False)]
    assert ask("conservative_locking", ["wc", "rb", "ra", "rd"], running) == 2  # c is read and b written, though later
    assert ask("conservative_locking", ["wc", "rb"], running) == -1
    assert ask("conservative_locking", ["wa"], []) == 0


@pytest.mark.parametrize(
    ("running", "answer"),
    [
        ([], 0),
        ([("wa wb", 1, False)], 0),  # nobody waits: 1.0
        ([("wa wb wc wd we", 4, False), ("wf wa", 1, True)], 0),  # 5 of 5 + 1: 1.2
        ([("wa wb", 1, False), ("wf wa", 1, True)], -1),  # 2 of 2 + 1: 1.5
        ([("ra ra ra ra", 3, False), ("wf wa", 1, True)], -1),  # one lock, asked for four times
    ],
)
def test_conflict_ratio_stops_at_its_critical_value(running: list[tuple[str, int, bool]], answer: int) -> None:
    assert ask("conflict_ratio", ["wa"], running) == answer


def test_shortest_makespan_first_takes_what_ends_first_given_the_locks() -> None:
    busy = [("wa wb rc rd re rf", 1, False)]  # ends at 100 + 5 + 2
    assert ask("shortest_makespan_first", ["wa rx", "rx ry rz", "rx ry rz ru"], busy) in (1, 2)  # both end before it
    assert ask("shortest_makespan_first", ["ra", "ra rx", "rc"], busy) == 2  # a is free at 107 only, c can be shared
    assert ask("shortest_makespan_first", ["ra rx", "ra"], busy) == 1
    assert ask("shortest_makespan_first", ["wa wb wc", "ra rb"]) == 1


def test_least_conflict_prefers_what_nothing_running_touches() -> None:
    running = [("wa rb", 0, False)]
    assert ask("least_conflict", ["ra wb", "ra", "wb", "rb"], running) == 3
    assert ask("least_conflict", ["wc", "wd"], running) == 0  # the one that has waited longer
    assert (
        ask("least_conflict", ["wa", "wb"], [("ra", 0, False), ("rc wb wd we wf", 1, False)]) == 0
    )  # a is free sooner
    assert ask("least_conflict", ["ra"], running) == 0
    assert ask("least_conflict", [" ".join(["ra"] * 9)], running) == -1  # beyond what is tolerated
    assert ask("least_conflict", [" ".join(["ra"] * 9)]) == 0


@pytest.mark.slow
def test_there_is_head_room_above_the_published_policies() -> None:
    """A policy of forty lines beats Shortest Makespan First and conservative locking on unseen streams."""
    evaluator = TransactionAdmission()
    rivals = ("shortest_makespan_first", "conservative_locking")
    gains = []
    for workload in evaluator.workloads("test", 20_261)[::3]:
        score = evaluator.run(workload, source(Path(__file__).parent / "policies" / "earliest_free.py"))["gap_closed"]
        gains.append([score - evaluator.run(workload, source(SEEDS / f"{each}.py"))["gap_closed"] for each in rivals])
    assert np.mean(gains, axis=0).min() > 0.05
