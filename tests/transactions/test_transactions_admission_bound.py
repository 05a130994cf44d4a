"""The bounds of admission: reached where they can be, and beaten by no sequence of choices."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locking_cases import batch, streams

from evaluators.transactions.admission.bound import bounds, completions
from evaluators.transactions.admission.evaluator import root_mean_square
from evaluators.transactions.locking import Attempt, Outcome, Rules, first_come, simulate
from evaluators.transactions.transaction import Transaction

RULES = Rules(operation=1.0, commit=2.0, backoff=1.0)
Stream = tuple[list[Transaction], np.ndarray]


def every_outcome(stream: Stream, executors: int, most: int = 2000) -> Iterator[Outcome]:
    """The outcomes of all sequences of choices, declining included; of many, the first `most`."""
    stack: list[list[int | None]] = [[]]
    while stack and most:
        given, taken = stack.pop(), 0

        def choose(
            _now: float, pending: Sequence[int], running: Sequence[Attempt], given: list[int | None] = given
        ) -> int | None:
            nonlocal taken
            if taken == len(given):  # a new decision: take the first option, keep the others for later
                options: list[int | None] = [*pending, None] if running else list(pending)
                stack.extend([*given, option] for option in options[1:])
                given.append(options[0])
            taken += 1
            return given[taken - 1]

        yield simulate(*stream, executors, RULES, choose)
        most -= 1


@settings(deadline=None, max_examples=25, derandomize=True)
@given(stream=streams(most=4, keys=2, longest=3), executors=st.integers(1, 3))
def test_no_sequence_of_choices_beats_a_bound(stream: Stream, executors: int) -> None:
    limits = bounds(*stream, executors, RULES)
    for outcome in every_outcome(stream, executors):
        assert outcome.latency.mean() >= limits.mean_latency - 1e-9
        assert root_mean_square(outcome.latency) >= limits.rms_latency - 1e-9
        assert outcome.throughput <= limits.throughput + 1e-9


@settings(deadline=None, max_examples=50, derandomize=True)
@given(stream=streams(most=25, keys=4, longest=6), executors=st.integers(1, 5), seed=st.integers(0, 9))
def test_no_admission_at_random_beats_a_bound(stream: Stream, executors: int, seed: int) -> None:
    rng = random.Random(seed)

    def choose(_now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int | None:
        return None if running and rng.random() < 0.2 else min(rng.sample(pending, min(3, len(pending))))

    outcome, limits = simulate(*stream, executors, RULES, choose), bounds(*stream, executors, RULES)
    assert outcome.latency.mean() >= limits.mean_latency - 1e-9
    assert root_mean_square(outcome.latency) >= limits.rms_latency - 1e-9
    assert outcome.throughput <= limits.throughput + 1e-9


def test_on_tiny_instances_the_best_of_all_choices_comes_near_the_bound() -> None:
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        keys = [tuple(rng.integers(4, size=rng.integers(1, 5)).tolist()) for _ in range(4)]
        transactions = [Transaction("test", own, tuple((rng.random(len(own)) < 0.5).tolist())) for own in keys]
        stream = transactions, np.cumsum(rng.integers(0, 5, 4)).astype(float)
        best = min(root_mean_square(outcome.latency) for outcome in every_outcome(stream, 2))
        ratios.append(bounds(*stream, 2, RULES).rms_latency / best)
    assert np.mean(ratios) > 0.8
    assert max(ratios) <= 1.0 + 1e-9


def test_all_choices_are_tried() -> None:
    """Three transactions that never meet, one executor: 3! orders, and nothing else since nothing may be declined."""
    orders = [outcome.order for outcome in every_outcome(batch("ra", "rb", "rc"), 1)]
    assert len(orders) == len(set(orders)) == 6


@pytest.mark.parametrize(
    ("texts", "executors"),
    [
        (["wa"] * 4, 9),  # one after the other on their key
        (["wa"] * 3 + ["wb"] * 3, 9),  # two keys apart
        (["rc wa"] * 3, 9),  # the head of the first overlaps with nothing
        (["ra"] * 4, 9),  # no contention at all
        (["ra"] * 4, 1),  # one after the other on the executor
    ],
)
def test_bounds_are_reached(texts: list[str], executors: int) -> None:
    stream = batch(*texts)
    outcome, limits = simulate(*stream, executors, RULES, first_come), bounds(*stream, executors, RULES)
    assert limits.mean_latency == pytest.approx(outcome.latency.mean())
    assert limits.rms_latency == pytest.approx(root_mean_square(outcome.latency))
    assert limits.throughput == pytest.approx(outcome.throughput)


def test_readers_of_a_written_key_count() -> None:
    """Two writers exclude each other for 3 each, four readers on two executors take 6 more of the key's time."""
    limits = bounds(*batch("wa", "wa", "ra", "ra", "ra", "ra"), 2, RULES)
    assert limits.throughput == pytest.approx(6 / 12.0)
    snapshot = Rules(operation=1.0, commit=2.0, read_locks=False)
    assert bounds(*batch("wa", "wa", "ra", "ra", "ra", "ra"), 9, snapshot).throughput == pytest.approx(6 / 6.0)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(jobs=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=8))
def test_completions_are_those_of_a_machine_that_steps_by_units(jobs: list[tuple[int, int]]) -> None:
    left = dict(enumerate(work for _, work in jobs))
    done = []
    for now in range(100):
        ready = [job for job in left if jobs[job][0] <= now]
        if ready:
            shortest = min(ready, key=left.__getitem__)
            left[shortest] -= 1
            if not left[shortest]:
                del left[shortest]
                done.append(now + 1.0)
    released, work = (np.array(column, dtype=float) for column in zip(*jobs, strict=True))
    assert completions(released, work).tolist() == done
    assert completions(released, 3.0 * work, 3.0) == pytest.approx(done)
