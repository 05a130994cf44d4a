"""How tight the bound of model placement is: `python benchmarks/placement_bound.py`.

First, on the train and validation clusters, the bound against the best placement found for each period's mean demand.
Then, on clusters small enough for every plan, the best plan with its moves and loading, and the policies, against it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adrs.testing.direct import DirectPolicy
from evaluators.placement.bound import lowest_pressure
from evaluators.placement.clairvoyant import clairvoyant_pressure
from evaluators.placement.evaluator import bound_pressure
from evaluators.placement.fleet import Floats, Ints, check_placement
from evaluators.placement.timeline import Cluster, simulate, stay
from evaluators.placement.traffic import Drift, Scenario, make_cluster
from evaluators.placement.workloads import list_workloads, scenario_of

SEEDS = Path(__file__).resolve().parents[1] / "seeds" / "model_placement"
POLICIES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((SEEDS).glob("*.py"))}
DRIFTS: tuple[Drift, ...] = ("steady", "burst", "release", "recurring")


def small(drift: Drift, seed: int) -> Cluster:
    """Two GPUs, four models and their replicas, six periods."""
    scenario = Scenario((80, 80), 4, "medium", 0.4, 0.6, "safetensors-disk", drift, 300, seed, periods=6)
    return make_cluster(scenario)


def slack(cluster: Cluster) -> tuple[float, float]:
    """By how much the best placements found exceed the bound, over all periods, and in how many by 1 % or less."""
    fleet, trace = cluster.fleet, cluster.trace
    optima = [
        lowest_pressure(fleet, trace.lived(period).mean(axis=0) / fleet.slo, cluster.initial)
        for period in range(trace.periods)
    ]
    found, bound = (np.array([getattr(optimum, name) for optimum in optima]) for name in ("pressure", "bound"))
    return float(found.mean() / bound.mean() - 1), float((found <= bound * 1.0101).mean())


def score(cluster: Cluster, source: str) -> float:
    """Mean worst pressure of a policy."""
    fleet, called = cluster.fleet, DirectPolicy.from_source(source)

    def plan(rates: Floats, now: Ints) -> Ints:
        known = (fleet.slo, fleet.weights, fleet.load_seconds, fleet.memory, now, float(cluster.trace.period_seconds))
        return check_placement(called.call("place", rates, *known), fleet)

    return simulate(cluster, plan).pressure


def main() -> None:
    print("best placement found over the bound, periods within 1 %")
    regimes: dict[str, list[tuple[float, float]]] = {}
    for workload in [*list_workloads("train", 0), *list_workloads("validation", 0)]:
        regimes.setdefault(workload.regime, []).append(slack(make_cluster(scenario_of(workload.parameters))))
    for regime, slacks in regimes.items():
        over, within = np.mean(slacks, axis=0)
        print(f"  {regime:20s} {over:+7.2%}  {within:5.0%}")
    print("\nshare of the gap between never moving and the bound, two GPUs, up to five models, six periods")
    rows: list[list[float]] = []
    for drift in DRIFTS:
        for seed in range(4):
            cluster = small(drift, seed)
            if cluster.fleet.models > 5:
                continue
            still, bound = simulate(cluster, stay).pressure, bound_pressure(cluster)
            costs = [clairvoyant_pressure(cluster), *(score(cluster, source) for source in POLICIES.values())]
            rows.append([(still - cost) / (still - bound) for cost in costs])
    for name, share in zip(["best plan", *POLICIES], np.mean(rows, axis=0), strict=True):
        print(f"  {name:20s} {share:7.3f}")
    print(f"  ({len(rows)} clusters)")


if __name__ == "__main__":
    main()
