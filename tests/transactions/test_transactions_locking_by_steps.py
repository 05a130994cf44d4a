"""The simulator of locking against a literal one that takes time tick by tick."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from locking_by_steps import Steps
from locking_cases import batch

from adrs.errors import AdrsError
from evaluators.transactions.locking import Attempt, Rules, first_come, postgresql_rules, simulate
from evaluators.transactions.transaction import Transaction

TICKS = 4  # to a unit of time


def at_random(rng: random.Random, pending: Sequence[int], running: bool, declining: float) -> int | None:
    return None if running and rng.random() < declining else rng.choice(list(pending))


def compare(seed: int) -> int:
    """Both simulators on one random stream under one random admission; the number of aborts."""
    rng = random.Random(seed)
    keys, longest, writing = rng.randint(1, 5), rng.randint(1, 6), rng.choice([0.2, 0.5, 0.8])
    drawn = [[(rng.randrange(keys), rng.random() < writing) for _ in range(rng.randint(1, longest))] for _ in range(9)]
    transactions = [Transaction("test", *map(tuple, zip(*each, strict=True))) for each in drawn]
    spread = rng.choice([0, 1, 3, 8])
    arrivals = np.cumsum([0] + [rng.randint(0, spread) for _ in range(8)])
    times = rng.choice([1, 3, 4]), rng.choice([1, 2, 8]), rng.choice([0, 1, 4, 40])
    executors, window, declining = rng.randint(1, 5), rng.choice([1, 3, None]), rng.choice([0.0, 0.3, 0.7])
    choices = random.Random(seed), random.Random(seed)

    def choose(_now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int | None:
        return at_random(choices[0], pending, bool(running), declining)

    rules = Rules(*(time / TICKS for time in times))
    fast = simulate(transactions, arrivals / TICKS, executors, rules, choose, window)
    slow = Steps(transactions, *times)
    slow.run(arrivals.tolist(), executors, lambda p, r: at_random(choices[1], p, r, declining), window)
    assert fast.order == tuple(slow.order)
    for index in range(len(transactions)):
        assert fast.committed[index] * TICKS == slow.committed[index]
        assert [time * TICKS for time in fast.granted[index]] == slow.granted[index]
    assert fast.aborts.tolist() == slow.aborts
    assert (fast.wasted * TICKS, fast.blocked * TICKS) == (slow.wasted, slow.blocked)
    assert fast.deadlocks == sum(slow.aborts)
    return fast.deadlocks


def test_histories_are_those_of_a_literal_simulator() -> None:
    """A fifth of the streams or more have deadlocks; every rule of lines, upgrades and victims shows in the times."""
    deadlocks = [compare(seed) for seed in range(250)]
    assert sum(map(bool, deadlocks)) > 50


def test_retries_that_meet_for_ever_are_given_up() -> None:
    """Who looks first is the victim: without a back-off the two abort each other in turn, with one they part."""
    stream = batch("wc wb wa", "wa wa wb wc")
    with pytest.raises(AdrsError, match="aborts without a commit"):
        simulate(*stream, 2, postgresql_rules(1.0, 1.0, deadlock_timeout=2.0), first_come)
    outcome = simulate(*stream, 2, postgresql_rules(1.0, 1.0, deadlock_timeout=2.0, backoff=1.0), first_come)
    assert outcome.aborts.sum() > 0
    assert simulate(*stream, 2, Rules(backoff=0.0), first_come).aborts.tolist() == [0, 1]
