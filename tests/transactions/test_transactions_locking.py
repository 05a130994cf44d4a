"""The simulator of locking: schedules by hand, and what must hold of every history."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locking_cases import assert_exclusive, assert_serialisable, batch, streams, transaction

from evaluators.transactions.locking import (
    Attempt,
    Outcome,
    Refused,
    Rules,
    by_rank,
    first_come,
    postgresql_rules,
    simulate,
)
from evaluators.transactions.transaction import Transaction

RULES = Rules(operation=1.0, commit=1.0, backoff=2.0)
SNAPSHOT = postgresql_rules(1.0, 1.0, deadlock_timeout=3.0, backoff=2.0)
REPEATABLE = postgresql_rules(1.0, 1.0, deadlock_timeout=3.0, repeatable_read=True, backoff=2.0)
Stream = tuple[list[Transaction], np.ndarray]


def run(*texts: str, rules: Rules = RULES, executors: int = 9) -> Outcome:
    return simulate(*batch(*texts), executors, rules, first_come)


@pytest.mark.parametrize(
    ("texts", "committed"),
    [
        (["wa", "wb"], [2, 2]),  # no conflict
        (["ra", "ra"], [2, 2]),  # readers share
        (["wa", "wa"], [2, 4]),  # the second waits for the first one's commit
        (["wa wb", "ra"], [3, 5]),
        (["rb wa", "wa"], [4, 2]),  # the lock is asked for at 1 and free at 2
        (["ra", "wa", "ra"], [2, 4, 6]),  # a reader does not overtake a waiting writer
        (["ra rb", "ra", "wa"], [3, 2, 5]),  # a writer waits for all readers
        (["wa", "wa", "rb wa"], [2, 4, 6]),  # first come, first served
        (["wa", "ra", "ra"], [2, 4, 4]),  # readers in line are let in together
        (["ra wa"], [3]),  # an upgrade by the only reader
        (["rb ra", "ra wa", "ra"], [3, 5, 2]),  # an upgrade waits for the other readers
        (["wa ra wa"], [4]),  # a lock that is held is not asked for again
    ],
)
def test_schedules_by_hand(texts: list[str], committed: list[float]) -> None:
    outcome = run(*texts)
    assert outcome.committed.tolist() == committed
    assert outcome.aborts.sum() == outcome.deadlocks == outcome.wasted == 0


def test_an_upgrade_stands_before_others_in_line() -> None:
    """At 1 the writer 2 is in line for a; reader 0 upgrades before it, and has it when reader 1 commits at 3."""
    outcome = run("ra wa", "ra rb", "wa")
    assert outcome.granted[0] == (0.0, 3.0)
    assert outcome.committed.tolist() == [5.0, 3.0, 7.0]


def test_youngest_of_a_deadlock_aborts_and_comes_back_after_its_backoff() -> None:
    """Both hold their first lock; at 1 the first waits for the second, and the second closes the cycle."""
    outcome = run("wa wb", "wb wa")
    assert outcome.committed.tolist() == [3.0, 6.0]  # the second is back at 3, when a and b are free
    assert outcome.aborts.tolist() == [0, 1]
    assert (outcome.deadlocks, outcome.wasted, outcome.work, outcome.blocked) == (1, 1.0, 7.0, 0.0)


def test_the_one_that_closes_the_cycle_lives_if_it_is_older() -> None:
    """At 1 the second waits for a; at 2 the first asks for b: the second aborts, and the first has b at once."""
    outcome = run("wa rc wb", "wb wa")
    assert outcome.committed.tolist() == [4.0, 7.0]
    assert outcome.granted[0] == (0.0, 1.0, 2.0)
    assert outcome.aborts.tolist() == [0, 1]
    assert outcome.blocked == 1.0


def test_cycles_of_three_and_of_upgrades() -> None:
    three = run("wa wb", "wb wc", "wc wa")
    assert three.aborts.tolist() == [0, 0, 1]
    assert three.committed[:2].tolist() == [5.0, 3.0]
    upgrades = run("ra wa", "ra wa")
    assert upgrades.aborts.tolist() == [0, 1]
    assert upgrades.committed.tolist() == [3.0, 6.0]


def test_a_request_that_closes_two_cycles_costs_a_victim_of_each() -> None:
    """At 1 both readers of a wait for the first, which at 2 asks for a: both abort and are back at 4."""
    outcome = run("wb wc wa", "ra wb", "ra wc")
    assert outcome.aborts.tolist() == [0, 1, 1]
    assert outcome.committed.tolist() == [4.0, 7.0, 7.0]


def test_backoff_grows_with_each_abort() -> None:
    """2 and 0 deadlock at 1, so 2 is back at 1 + 2; 2 and 1 deadlock at 6, so 2 is back at 6 + 4."""
    outcome = run("wa wb", "rc rc rc rc wd rc we", "wb wa we wd")
    assert outcome.aborts.tolist() == [0, 0, 2]
    assert outcome.granted[2] == (10.0, 11.0, 12.0, 13.0)
    assert outcome.wasted == 1.0 + 3.0


def test_who_waits_keeps_the_executor() -> None:
    outcome = run("wa wb wc", "wa", "rd", executors=2)
    assert outcome.committed.tolist() == [4.0, 6.0, 6.0]
    assert outcome.blocked == 4.0


def test_aborted_transactions_take_their_old_place() -> None:
    transactions, arrivals = batch("wa wb", "wb wa", *["rc rc rc rc"] * 3)
    seen: list[list[int]] = []

    def choose(_now: float, pending: Sequence[int], _running: Sequence[Attempt]) -> int:
        seen.append(list(pending))
        return pending[0]

    simulate(transactions, arrivals, 2, RULES, choose)
    assert [1, 3, 4] in seen


def test_readers_of_a_snapshot_neither_wait_nor_make_wait() -> None:
    outcome = run("wa wb", "ra rb", "wa", rules=SNAPSHOT)
    assert outcome.committed.tolist() == [3.0, 3.0, 5.0]
    assert run("ra", "wa", rules=SNAPSHOT).committed.tolist() == [2.0, 2.0]


def test_read_committed_waits_and_goes_on_but_repeatable_read_aborts() -> None:
    assert run("wa", "wa", rules=SNAPSHOT).aborts.sum() == 0
    outcome = run(
        "wa", "rb wa", "wc wa", rules=REPEATABLE
    )  # two wait; at 2 the first one in line fails, then the other
    assert outcome.aborts.tolist() == [0, 1, 2]  # back at 4; the third waits for the second and fails again
    assert outcome.deadlocks == 0
    assert outcome.wasted == 3.0
    late = simulate([transaction("wa"), transaction("rb rb rb wa")], np.array([0.0, 1.0]), 2, REPEATABLE, first_come)
    assert late.aborts.tolist() == [0, 1]  # nobody holds a any more, but it is newer than the snapshot
    fresh = simulate([transaction("wa"), transaction("wa")], np.array([0.0, 2.0]), 2, REPEATABLE, first_come)
    assert fresh.aborts.tolist() == [0, 0]


def test_postgresql_breaks_a_deadlock_after_its_timeout_by_the_first_to_look() -> None:
    """Both wait from 1 on; at 4 the first looks and aborts; the second then goes on and is found in no deadlock."""
    outcome = run("wa wb", "wb wa", rules=SNAPSHOT)
    assert outcome.aborts.tolist() == [1, 0]
    assert outcome.committed.tolist() == [9.0, 6.0]
    assert outcome.deadlocks == 1


def test_a_long_wait_without_a_deadlock_is_no_reason_to_abort() -> None:
    outcome = run("wa rb rc rd re rf", "wa", rules=SNAPSHOT)
    assert outcome.committed.tolist() == [7.0, 9.0]
    assert outcome.aborts.sum() == 0


def test_admission_by_rank_and_the_window() -> None:
    transactions, arrivals = batch(*["wa"] * 5)
    assert simulate(transactions, arrivals, 1, RULES, by_rank([4, 2, 0, 1, 3])).order == (4, 2, 0, 1, 3)
    assert simulate(transactions, arrivals, 1, RULES, by_rank([4, 2, 0, 1, 3]), window=3).order == (2, 0, 4, 1, 3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (7, "transaction 7 is not among the 3 pending ones: 0, 1, 2"),
        (None, "declined while nothing runs"),
        (-5, "not among"),
    ],
)
def test_refuses_what_is_not_pending_and_a_clock_that_stops(answer: int | None, message: str) -> None:
    with pytest.raises(Refused, match=message):
        simulate(*batch("wa", "wb", "wc"), 1, RULES, lambda *_: answer)


def test_refuses_what_runs_or_has_committed() -> None:
    for executors in (1, 2):
        with pytest.raises(Refused, match="transaction 0"):
            simulate(*batch("wa", "wb"), executors, RULES, lambda *_: 0)


@pytest.mark.parametrize(
    ("transactions", "arrivals", "executors"),
    [([], [], 1), (["wa"], [0.0], 0), (["wa", "wb"], [1.0, 0.0], 1), (["wa", ""], [0.0, 0.0], 1), (["wa"], [], 1)],
)
def test_refuses_impossible_instances(transactions: list[str], arrivals: list[float], executors: int) -> None:
    with pytest.raises(ValueError, match="must"):
        simulate([transaction(text) for text in transactions], np.array(arrivals), executors, RULES, first_come)


@pytest.mark.parametrize("wrong", [{"operation": 0.0}, {"commit": -1.0}, {"backoff": -1.0}, {"deadlock_timeout": -1.0}])
def test_refuses_impossible_rules(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"some time|negative"):
        Rules(**wrong)  # type: ignore[arg-type]


def anyhow(seed: int) -> object:
    """Admission at random, declining now and then while something runs."""
    rng = random.Random(seed)

    def choose(_now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int | None:
        return None if running and rng.random() < 0.3 else rng.choice(pending)

    return choose


@settings(deadline=None, max_examples=80, derandomize=True)
@given(stream=streams(), executors=st.integers(1, 4), seed=st.integers(0, 9), window=st.sampled_from([1, 3, None]))
def test_two_phase_locking_is_serialisable_and_loses_nothing(
    stream: Stream, executors: int, seed: int, window: int | None
) -> None:
    transactions, arrivals = stream
    outcome = simulate(transactions, arrivals, executors, RULES, anyhow(seed), window)  # type: ignore[arg-type]
    assert sorted(outcome.order) == list(range(len(transactions)))
    assert [len(granted) for granted in outcome.granted] == [len(each) for each in transactions]
    assert_exclusive(transactions, outcome, RULES)
    assert_serialisable(transactions, outcome)
    lengths = np.array([len(each) + 1.0 for each in transactions])
    assert np.all(outcome.latency >= lengths)
    assert outcome.work == lengths.sum() + outcome.wasted
    assert outcome.work + outcome.blocked <= executors * outcome.makespan + 1e-9
    assert outcome.deadlocks == outcome.aborts.sum()
    assert outcome.aborts[0] == 0  # the oldest of all is never the youngest of a cycle


@settings(deadline=None, max_examples=60, derandomize=True)
@given(stream=streams(), executors=st.integers(1, 4), repeatable=st.booleans())
def test_writers_exclude_each_other_under_postgresqls_rules(stream: Stream, executors: int, repeatable: bool) -> None:
    transactions, arrivals = stream
    rules = REPEATABLE if repeatable else SNAPSHOT
    started: dict[int, float] = {}

    def choose(now: float, pending: Sequence[int], _running: Sequence[Attempt]) -> int:
        started[pending[0]] = now
        return pending[0]

    outcome = simulate(transactions, arrivals, executors, rules, choose)
    assert sorted(outcome.order) == list(range(len(transactions)))
    assert_exclusive(transactions, outcome, rules)
    if not any(any(each.writes) for each in transactions):
        assert outcome.blocked == 0.0
    if repeatable:
        for one in range(len(transactions)):
            for other in range(len(transactions)):
                before = outcome.order.index(other) < outcome.order.index(one)
                if before and started[one] < outcome.committed[other]:
                    assert not written(transactions[one]) & written(transactions[other])


def written(each: Transaction) -> set[int]:
    return {key for key, write in zip(each.keys, each.writes, strict=True) if write}


@settings(deadline=None, max_examples=60, derandomize=True)
@given(stream=streams(), executors=st.integers(2, 4))
def test_nobody_waits_without_a_reason(stream: Stream, executors: int) -> None:
    """Where nothing aborts, a lock that comes late comes with the commit of a transaction that it conflicts with."""
    transactions, arrivals = stream
    outcome = simulate(transactions, arrivals, executors, RULES, first_come)
    if outcome.aborts.any():
        return
    for index, each in enumerate(transactions):
        for place in range(1, len(each)):
            granted, ready = outcome.granted[index][place], outcome.granted[index][place - 1] + 1.0
            key, write = each.keys[place], each.writes[place]
            released_now = [
                other
                for other, theirs in enumerate(transactions)
                if outcome.committed[other] == granted
                and any(k == key and (w or write) for k, w in zip(theirs.keys, theirs.writes, strict=True))
            ]
            assert granted == ready or (granted > ready and released_now)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(stream=streams(most=20), executors=st.integers(1, 5))
def test_without_conflicts_it_is_a_queue_with_several_servers(stream: Stream, executors: int) -> None:
    lengths = [len(each) + 1.0 for each in stream[0]]
    private = [
        Transaction("test", tuple(range(100 * index, 100 * index + len(each))), each.writes)
        for index, each in enumerate(stream[0])
    ]
    outcome = simulate(private, stream[1], executors, RULES, first_come)
    free = [0.0] * executors
    for index, length in enumerate(lengths):
        end = max(heapq.heappop(free), float(stream[1][index])) + length
        heapq.heappush(free, end)
        assert outcome.committed[index] == end
    assert outcome.blocked == outcome.wasted == 0.0


@settings(deadline=None, max_examples=40, derandomize=True)
@given(stream=streams(), seed=st.integers(0, 9))
def test_one_executor_runs_one_after_the_other(stream: Stream, seed: int) -> None:
    transactions, _ = stream
    order = random.Random(seed).sample(range(len(transactions)), len(transactions))
    outcome = simulate(transactions, np.zeros(len(transactions)), 1, RULES, by_rank(order))
    assert outcome.order == tuple(order)
    assert outcome.makespan == sum(len(each) + 1.0 for each in transactions)
    assert outcome.throughput == len(transactions) / outcome.makespan
