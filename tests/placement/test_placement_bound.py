"""The bound against all placements, against CP-SAT, and against whatever a policy may answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model
from placement_cases import fleet, placements, policy, random_cluster, random_placement

from adrs.testing.direct import DirectPolicy
from evaluators.placement.bound import lowest_pressure
from evaluators.placement.clairvoyant import clairvoyant_pressure
from evaluators.placement.evaluator import bound_pressure
from evaluators.placement.fleet import RESERVE, Fleet, Floats, Ints, check_placement
from evaluators.placement.timeline import simulate

SETTINGS = settings(deadline=None, max_examples=8, derandomize=True)
EXACT = {"tolerance": 1e-5, "nodes": 100_000}
UNITS = 10  # of a GB, in CP-SAT's whole numbers; the cases' weights and memory are whole numbers of these
SCALE = 10_000  # demand units


def demand_of(rng: np.random.Generator, models: int) -> Floats:
    return np.asarray(np.ceil(rng.pareto(1.2, models) * SCALE / 10) / SCALE)


@SETTINGS
@given(seed=st.integers(0, 10_000))
def test_bound_is_the_optimum_over_all_placements(seed: int) -> None:
    rng = np.random.default_rng(seed)
    small = fleet(rng, 6, tuple(rng.choice([30.0, 40.0, 72.0], 3)))
    demand = demand_of(rng, 6)
    best = min(float(small.pressure(placement, demand).max()) for placement in placements(small))
    quick = lowest_pressure(small, demand, random_placement(rng, small))
    exact = lowest_pressure(small, demand, random_placement(rng, small), **EXACT)
    assert quick.bound <= best * (1 + 1e-9)
    assert quick.bound <= quick.pressure
    assert exact.bound <= best * (1 + 1e-9)
    assert exact.bound == pytest.approx(best, rel=5e-5)
    assert exact.pressure == pytest.approx(best, rel=5e-5)
    assert small.fits(exact.placement)


def cp_sat_fits(made: Fleet, demand: Floats, pressure: float) -> bool:
    """Whether a placement stays within the pressure, by CP-SAT in whole numbers; the pressure is rounded up."""
    model = cp_model.CpModel()
    per_unit = int(np.ceil(pressure * SCALE / UNITS * 1000))  # thousandths of a demand unit per memory unit
    on = [[model.new_bool_var("") for _ in range(made.gpus)] for _ in range(made.models)]
    weight = [round(value * UNITS) for value in made.weights]
    need = [round(value * SCALE) * 1000 for value in demand]
    for row in on:
        model.add_exactly_one(row)
    for gpu, memory in enumerate(made.memory):
        used = sum(weight[j] * on[j][gpu] for j in range(made.models))
        load = sum(need[j] * on[j][gpu] for j in range(made.models))
        model.add(used <= round((memory - RESERVE) * UNITS))
        model.add(load <= per_unit * (round(memory * UNITS) - used))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    return bool(status == cp_model.OPTIMAL)


@pytest.mark.parametrize("seed", range(3))
def test_bound_agrees_with_cp_sat_on_larger_clusters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = fleet(rng, 10, (36.0, 72.0, 72.0, 126.0))
    demand = demand_of(rng, 10)
    optimum = lowest_pressure(made, demand, random_placement(rng, made), tolerance=1e-3, nodes=100_000)
    assert optimum.pressure <= optimum.bound * 1.0011
    assert cp_sat_fits(made, demand, optimum.pressure)
    assert not cp_sat_fits(made, demand, optimum.bound * 0.999)


@SETTINGS
@given(seed=st.integers(0, 10_000))
def test_no_sequence_of_answers_beats_the_bound(seed: int) -> None:
    """Random answers, and each period's own best placement, which is what a clairvoyant policy would like."""
    cluster = random_cluster(seed)
    bound = bound_pressure(cluster)
    rng = np.random.default_rng(seed)
    assert simulate(cluster, lambda _rates, _now: random_placement(rng, cluster.fleet)).pressure >= bound
    coming = iter(cluster.trace.lived(period) for period in range(cluster.trace.periods))
    clairvoyant = simulate(
        cluster,
        lambda _rates, now: (
            lowest_pressure(cluster.fleet, next(coming).mean(axis=0) / cluster.fleet.slo, now, **EXACT).placement
        ),
    )
    assert clairvoyant.pressure >= bound


@pytest.mark.parametrize("seed", range(3))
def test_bound_clairvoyant_plan_and_policies_are_in_order(seed: int) -> None:
    """On clusters small enough for every plan: bound <= best plan with its moves <= any policy, never moving too."""
    cluster = random_cluster(seed, models=5, gpus=2, periods=4, stretch=30)
    best = clairvoyant_pressure(cluster)
    assert bound_pressure(cluster) <= best * (1 + 1e-9)
    made = cluster.fleet
    for name in ("never_move", "greedy", "prism", "static_optimum"):
        called = policy(name)

        def plan(rates: Floats, now: Ints, called: DirectPolicy = called) -> Ints:
            arguments = (rates, made.slo, made.weights, made.load_seconds, made.memory, now, 90.0)
            return check_placement(called.call("place", *arguments), made)

        assert simulate(cluster, plan).pressure >= best * (1 - 1e-9)


def test_clairvoyant_plan_refuses_periods_too_short_for_it() -> None:
    with pytest.raises(ValueError, match="take longer periods"):
        clairvoyant_pressure(random_cluster(0, models=3, gpus=2, periods=1, stretch=1))
