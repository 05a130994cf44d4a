"""How much the order of a batch of transactions matters, setting by setting, and how tight the bound is.

    python benchmarks/transactions_headroom.py [--effort 1]

One batch of each setting: the makespan in order of arrival, of random orders (mean), of SMF, the best known (annealing
from two starts and CP-SAT after it), and the bound. Then small batches that CP-SAT solves to the proven optimum, with
the bound beside it. `=` marks a makespan that CP-SAT proves least. A unit of effort is about 20 seconds of CP-SAT and
of annealing, counted in steps and not by a clock. Needs ortools (the extra `test`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluators.transactions.generators import generate
from evaluators.transactions.scheduling.bound import lower_bound
from evaluators.transactions.scheduling.evaluator import Batch, rows_of
from evaluators.transactions.scheduling.exact import Solution, solve
from evaluators.transactions.scheduling.makespan import footprints, makespan
from evaluators.transactions.scheduling.workloads import FAMILIAR, SHIFTED, Regime

SEEDS = Path(__file__).parents[1] / "seeds" / "transaction_scheduling"
INSTANCE = 20_261_122  # seed of the batches, which no split uses
LEFT_OUT = {
    "smallbank-100": Regime("smallbank", 100),
    "smallbank-hot-100": Regime("smallbank", 100, {"hot": 20}),
    "tpcc-40w-100": Regime("tpcc", 100, {"warehouses": 40}),
    "ycsb-flat-100": Regime("ycsb", 100, {"theta": 0.0, "read_share": 0.95}),
    "social-0.2%-100": Regime("social", 100, {"write_share": 0.002}),
}
SMALL = {
    "tpcc, 1 warehouse": Regime("tpcc", 15, {"warehouses": 1}),
    "social, 100 objects": Regime("social", 15, {"objects": 100}),
    "smallbank, 10 hot": Regime("smallbank", 15, {"hot": 10}),
    "ycsb, 4-8 of 100": Regime("ycsb", 15, {"shortest": 4, "longest": 8, "records": 100}),
    "ycsb, 16 of 10,000": Regime("ycsb", 15),
}
SMALL_INSTANCES = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effort", type=float, default=1.0)
    effort = parser.parse_args().effort
    print(f"{'setting':20} arrival random  SMF  best bound  arrival to best  gap closed by best")
    for title, regimes in (("train", FAMILIAR), ("test only", SHIFTED), ("left out", LEFT_OUT)):
        print(f"-- {title}")
        for name, regime in regimes.items():
            print(headroom(name, regime, effort), flush=True)
    print(f"\n{'batches of 15':20} {'bound / proven optimum: mean, least':36} proven")
    for name, regime in SMALL.items():
        print(tightness(name, regime, effort), flush=True)
    return 0


def headroom(name: str, regime: Regime, effort: float) -> str:
    """One row of the first table."""
    batch = Batch.of(generate(regime.benchmark, regime.count, INSTANCE, **regime.settings))
    arrival = makespan(batch.footprints, range(regime.count))
    smf = makespan(batch.footprints, policy("smf")["schedule"](rows_of(batch.transactions)))
    found = best_known(batch, effort)
    best = found.makespan
    proven = "=" if found.optimal else " "
    return (
        f"{name:20} {arrival:7} {batch.unordered:6.0f} {smf:4} {best:4}{proven} {batch.bound:5} "
        f"{1 - best / arrival:16.0%} {batch.gap_closed(best):19.2f}"
    )


def best_known(batch: Batch, effort: float) -> Solution:
    """The better of two long annealings, handed to CP-SAT."""
    annealing = policy("simulated_annealing")
    uses, keys = annealing["contended"](rows_of(batch.transactions))
    moves = int(10 * effort * annealing["WORK"]) // sum(len(used) + 1 for _, used in uses)
    begun = annealing["earliest_first"](uses, keys), list(range(len(uses)))
    orders = [annealing["anneal"](uses, keys, order, moves) for order in begun]
    order = min(orders, key=lambda one: makespan(batch.footprints, one))
    return solve(batch.footprints, effort, order)


def tightness(name: str, regime: Regime, effort: float) -> str:
    """One row of the second table."""
    ratios = list(_ratios(regime, effort))
    mean, least = (f"{value:.2f}" for value in (sum(ratios) / len(ratios), min(ratios)))
    return f"{name:20} {mean:>10} {least:>10} {'':14} {len(ratios)} of {SMALL_INSTANCES}"


def _ratios(regime: Regime, effort: float) -> Iterator[float]:
    for seed in range(SMALL_INSTANCES):
        used = footprints(generate(regime.benchmark, regime.count, INSTANCE + seed, **regime.settings))
        solution = solve(used, effort, range(regime.count))
        if solution.optimal:
            yield lower_bound(used) / solution.makespan


def policy(name: str) -> dict[str, Any]:
    """What the file of a policy defines."""
    namespace: dict[str, Any] = {"__name__": "policy"}
    exec(compile((SEEDS / f"{name}.py").read_text(encoding="utf-8"), f"{name}.py", "exec"), namespace)
    return namespace


if __name__ == "__main__":
    sys.exit(main())
