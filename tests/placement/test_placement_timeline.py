"""Living through moves: cases by hand, a step-by-step simulation of the queues, what is conserved, what cannot pay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_cases import random_cluster, random_placement

from evaluators.placement.fleet import Fleet, Floats, Ints
from evaluators.placement.timeline import Cluster, State, Trace, live_period, simulate, stay

SETTINGS = settings(deadline=None, max_examples=40, derandomize=True)


def one_model(load_seconds: float, slo: float, gpus: int = 2) -> Fleet:
    """A model of 10 GB on GPUs of 60 GB."""
    return Fleet(np.array([slo]), np.array([10.0]), np.array([load_seconds]), np.full(gpus, 60.0))


def at(*gpus: int) -> Ints:
    return np.array(gpus, dtype=np.int64)


def test_without_moves_the_cost_is_prisms_ratio() -> None:
    """Two models on one GPU, one on the other: (2/1 + 3/2) / (72 - 10 - 20) against (8/4) / (40 - 5)."""
    fleet = Fleet(np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 5.0]), np.ones(3), np.array([72.0, 40.0]))
    trace = Trace(np.broadcast_to(np.array([2.0, 3.0, 8.0]), (4, 2, 3)), 30)
    result = simulate(Cluster(fleet, trace, at(0, 0, 1)), stay)
    assert result.pressure == pytest.approx(max(3.5 / 42, 2.0 / 35))
    assert (result.moved, result.late_share, result.mean_wait) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("load", "slo"), [(4.0, 2.0), (4.5, 1.0), (20.25, 5.0), (0.3, 1.0)])
def test_loading_costs_its_length_and_the_waiting(load: float, slo: float) -> None:
    """L + L^2 / (2 s) seconds of the model's own demand more, once the queue has drained."""
    fleet, rate, seconds = one_model(load, slo), 3.0, 300
    moved = live_period(fleet, np.full((10, 1), rate), 30, at(1), State(np.zeros(1), np.array([load])))
    own = rate / slo / 50
    extra = float((moved.pressure - own).sum())
    assert extra == pytest.approx(own * (load + load**2 / (2 * slo)), rel=1e-9)
    assert moved.late == pytest.approx(rate * load)
    assert moved.waiting.sum() == pytest.approx(rate * (load**2 / 2 + load * slo))
    assert moved.pressure.min() >= own * (1 - 1e-12)
    assert len(moved.pressure) == seconds


def test_a_gpu_loads_one_model_at_a_time_the_shortest_first() -> None:
    fleet = Fleet(np.ones(3), np.full(3, 5.0), np.array([9.0, 4.0, 6.0]), np.full(2, 60.0))
    lived = live_period(fleet, np.ones((4, 3)), 10, at(0, 0, 1), State(np.zeros(3), fleet.load_seconds))
    # GPU 0: model 1 until 4, model 0 until 13; GPU 1: model 2 until 6
    assert lived.late == pytest.approx(13 + 4 + 6)


def test_a_load_goes_on_in_the_next_period_and_starts_anew_when_the_model_moves_again() -> None:
    fleet = one_model(25.0, 2.0)
    first = live_period(fleet, np.ones((1, 1)), 10, at(1), State(np.zeros(1), np.array([25.0])))
    assert first.state.to_load == pytest.approx([15.0])
    assert first.state.waiting == pytest.approx([10.0])
    second = live_period(fleet, np.ones((1, 1)), 10, at(1), first.state)
    assert second.state.to_load == pytest.approx([5.0])

    visits = iter([at(1), at(0), at(1), at(0)])
    cluster = Cluster(fleet, Trace(np.ones((5, 1, 1)), 10), at(0))
    assert simulate(cluster, lambda _rates, _now: next(visits)).waiting == pytest.approx([40.0])


@settings(SETTINGS, max_examples=6)
@given(seed=st.integers(0, 10_000))
def test_queues_are_those_of_a_simulation_in_small_steps(seed: int) -> None:
    """The closed form against Euler steps of the same equations: mean pressure and what still waits at the end."""
    cluster = random_cluster(seed, periods=1)
    rng = np.random.default_rng(seed)
    fleet, rates = cluster.fleet, cluster.trace.lived(0)
    placement = random_placement(rng, fleet)
    state = State(rng.exponential(3.0, fleet.models), np.where(rng.random(fleet.models) < 0.6, fleet.load_seconds, 0.0))
    lived = live_period(fleet, rates, 10, placement, state)
    pressure, waiting = in_small_steps(fleet, rates, 10, placement, state)
    assert lived.state.waiting == pytest.approx(waiting, rel=0.05, abs=1e-2)
    assert lived.pressure == pytest.approx(pressure, rel=0.05, abs=1e-3)


def in_small_steps(
    fleet: Fleet, rates: Floats, stretch: int, placement: Ints, state: State, steps: int = 50
) -> tuple[Floats, Floats]:
    """Worst pressure in each second and the queue at the end, a GPU's loads taken off one by one."""
    waiting, to_load = state.waiting.copy(), state.to_load.copy()
    worst = np.zeros(len(rates) * stretch)
    for second in range(len(worst)):
        demand = np.zeros(fleet.models)
        for _ in range(steps):
            rate = rates[second // stretch]
            demand += (rate + waiting / fleet.slo) / fleet.slo / steps
            waiting += np.where(to_load > 0, rate, -waiting / fleet.slo) / steps
            for gpu in range(fleet.gpus):
                loading = np.flatnonzero((placement == gpu) & (to_load > 0))
                if len(loading):
                    next_up = loading[np.argmin(to_load[loading])]
                    to_load[next_up] = max(to_load[next_up] - 1 / steps, 0.0)
        pressed = np.bincount(placement, demand, fleet.gpus) / fleet.free(placement)
        worst[second] = pressed.max()
    return worst, waiting


@SETTINGS
@given(seed=st.integers(0, 10_000))
def test_requests_are_conserved_and_moving_never_lowers_the_pressure_of_a_placement(seed: int) -> None:
    """Whatever is answered: no request is lost, and at each second the ratio of the placement in force is exceeded."""
    cluster = random_cluster(seed, periods=4)
    fleet, trace = cluster.fleet, cluster.trace
    rng = np.random.default_rng(seed + 1)
    placement, state = cluster.initial, State.at_rest(fleet.models)
    for period in range(trace.periods):
        answer = random_placement(rng, fleet)
        state = State(state.waiting, np.where(answer != placement, fleet.load_seconds, state.to_load))
        lived = live_period(fleet, trace.lived(period), trace.stretch_seconds, answer, state)
        arrived = trace.lived(period).sum(axis=0) * trace.stretch_seconds
        released = state.waiting + arrived - lived.state.waiting
        assert (released >= -1e-9).all()
        still = fleet.pressure(answer, (trace.lived(period) / fleet.slo).T).max(axis=0)
        assert (lived.pressure >= np.repeat(still, trace.stretch_seconds) * (1 - 1e-12)).all()
        waits = (state.to_load > 0) & (lived.state.to_load >= state.to_load - 1e-12)  # never got its turn
        assert lived.state.waiting[waits] == pytest.approx((state.waiting + arrived)[waits])
        placement, state = answer, lived.state


def test_keeping_the_busiest_model_in_perpetual_loading_does_not_pay() -> None:
    """A busy model bounced between GPUs on every call presses more than one that stays, and ever more."""
    fleet = Fleet(np.array([1.0, 5.0]), np.array([60.0, 5.0]), np.array([17.0, 1.0]), np.full(2, 72.0))
    trace = Trace(np.broadcast_to(np.array([5.0, 1.0]), (9, 1, 2)), 10)
    cluster = Cluster(fleet, trace, at(0, 1))
    bounced = simulate(cluster, lambda _rates, now: np.array([1 - now[0], 1 - now[1]]))
    kept = simulate(cluster, stay)
    assert bounced.pressure > 10 * kept.pressure
    assert bounced.late_share > 0.8
    assert bounced.waiting[0] == pytest.approx(5.0 * 80)


def test_idle_models_move_for_nothing() -> None:
    fleet = one_model(20.0, 1.0)
    cluster = Cluster(fleet, Trace(np.zeros((3, 2, 1)), 30), at(0))
    assert simulate(cluster, lambda _rates, now: 1 - now).pressure == 0.0
