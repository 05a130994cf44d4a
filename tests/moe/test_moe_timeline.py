from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_cases import TINY, deployment, random_placement, random_trace, token_trace

from evaluators.moe.placement import Ints
from evaluators.moe.timeline import ASYNC_SHARE, PLAN_SECONDS, Deployment, live_interval, simulate, stay
from evaluators.moe.trace import Floats

GOOD, BAD = np.array([[0, 1, 2, 3]]), np.array([[0, 2, 1, 3]])


def slow_steps(asynchronous: bool, interval: int = 3000) -> Deployment:
    """One interval of three steps of about 4 ms, experts 0 and 1 hot, 2 and 3 hardly used; 2 GPUs of one node."""
    choices = np.array([[[0, 1], [2, 3]]])
    trace = token_trace(choices, np.full((1, 3, 2), [40_000, 10]), "decode", 4)
    case = deployment(trace, 4, 1, 2, asynchronous=asynchronous)
    return Deployment(case.cost, case.trace, case.slots, interval, asynchronous)


def test_staying_costs_what_the_steps_cost() -> None:
    case = slow_steps(True)
    times = case.cost.times(case.trace, 0, GOOD)
    result = simulate(case, stay)
    assert result.tokens == 40_010 * 3000
    assert result.seconds == pytest.approx(times.layer.mean() * 3000)
    assert result.moved_bytes == result.stalled == 0
    assert result.throughput == pytest.approx(40_010 / times.layer.mean())
    assert result.decode_layer == pytest.approx(times.layer.mean())
    assert result.prefill_layer == 0


def test_synchronous_rebalance_by_hand() -> None:
    """The old placement serves while the plan is made, the engine stops for the transfer, then the new one serves."""
    case = slow_steps(False)
    old = case.cost.times(case.trace, 0, GOOD).layer.mean()
    new = case.cost.times(case.trace, 0, BAD).layer.mean()
    assert new < old
    planning_steps = PLAN_SECONDS / old
    transfer = TINY.expert_bytes / 250e9  # each GPU fetches one expert from its neighbour
    result = simulate(case, lambda _window, _placement: BAD)
    assert result.stalled == pytest.approx(transfer)
    assert result.seconds == pytest.approx(planning_steps * old + transfer + (3000 - planning_steps) * new)
    assert result.moved_bytes == 2 * TINY.expert_bytes


def test_asynchronous_rebalance_by_hand() -> None:
    """Nothing stops; until the transfer is done the old placement serves, with less of the links."""
    case = slow_steps(True)
    times = case.cost.times(case.trace, 0, GOOD)
    old, new = times.layer.mean(), case.cost.times(case.trace, 0, BAD).layer.mean()
    transfer = TINY.expert_bytes / 250e9 / ASYNC_SHARE
    slower = times.communication.mean() * (1 / (1 - ASYNC_SHARE) - 1)
    old_steps, moving_steps = (PLAN_SECONDS + transfer) / old, transfer / old
    result = simulate(case, lambda _window, _placement: BAD)
    assert result.stalled == 0
    assert result.seconds == pytest.approx(
        old_steps * old + moving_steps * slower + (3000 - old_steps) * new, rel=1e-12
    )


def test_an_interval_shorter_than_the_plan_is_served_by_the_old_placement() -> None:
    case = slow_steps(True, interval=30)
    lived = live_interval(case, 0, GOOD, BAD)
    assert lived.layer == pytest.approx(case.cost.times(case.trace, 0, GOOD).layer)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), asynchronous=st.booleans())
def test_reordering_slots_within_gpus_is_free(seed: int, asynchronous: bool) -> None:
    rng = np.random.default_rng(seed)
    case = deployment(random_trace(rng, "decode"), 6, 1, 2, asynchronous=asynchronous)

    def reorder(_window: Floats, placement: Ints) -> Ints:
        return rng.permuted(placement.reshape(2, 3), axis=1).reshape(1, 6)

    moved, still = simulate(case, reorder), simulate(case, stay)
    assert moved.moved_bytes == moved.stalled == 0
    assert moved.seconds == pytest.approx(still.seconds, rel=1e-12)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), asynchronous=st.booleans())
def test_going_there_and_back_costs_more_than_staying(seed: int, asynchronous: bool) -> None:
    """Between placements that serve alike (a swap of two GPUs) every move is a loss."""
    rng = np.random.default_rng(seed)
    case = deployment(random_trace(rng, "decode"), 4, 1, 2, asynchronous=asynchronous)
    swaps = simulate(case, lambda _window, placement: placement.reshape(2, 2)[::-1].reshape(1, 4))
    assert swaps.moved_bytes == 4 * TINY.expert_bytes
    assert swaps.seconds > simulate(case, stay).seconds


def test_policy_sees_the_window_and_the_placement_in_force() -> None:
    rng = np.random.default_rng(1)
    case = deployment(random_trace(rng, "decode"), 6, 1, 2)
    answers = [random_placement(rng, 1, 4, 6) for _ in range(2)]
    seen: list[tuple[Floats, Ints]] = []

    def plan(window: Floats, placement: Ints) -> Ints:
        seen.append((window, placement))
        return answers[len(seen) - 1]

    simulate(case, plan)
    assert [window.tolist() for window, _ in seen] == case.trace.windows.tolist()
    assert np.array_equal(seen[0][1], case.initial)
    assert np.array_equal(seen[1][1], answers[0])
