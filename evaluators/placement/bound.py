"""The lowest pressure that any placement reaches for given demands: what the next period costs at the very least.

Over a period the mean of the worst GPU's pressure is at least the worst GPU's mean pressure, and waiting requests only
add to demand. So the optimum for the mean demand of a period, for nothing moved and known ahead, bounds every policy.

For a pressure P the question whether a placement stays within it is linear, a bin packing with items of the size
weights + demand / P and a bin for each GPU, so the optimum is found by bisection (the reduction of makespan scheduling
to bin packing: Hochbaum and Shmoys, "Using dual approximation algorithms for scheduling problems", JACM 1987). HiGHS
decides each packing within a number of nodes. Only its proofs of infeasibility raise the bound, and its placements are
checked and priced anew, so neither its tolerances nor its limits can make the bound invalid; given nodes enough, bound
and best placement meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import highspy  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from evaluators.placement.fleet import RESERVE, Fleet, Floats, Ints

TOLERANCE = 1e-2  # bound and best placement may differ by this share before the search ends
KICKS = 40  # of the local search
NODES = 20  # of branch and bound for one pressure; what is undecided then leaves the bound where it is
SAFETY = 1e-6  # pressures proven infeasible are taken as so much lower: HiGHS rounds
# Proofs are wanted here, and placements found by the way are no help to them.
NO_HEURISTICS = {
    "mip_heuristic_effort": 0.0,
    "mip_heuristic_run_feasibility_jump": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_rens": False,
    "mip_heuristic_run_root_reduced_cost": False,
}


@dataclass(frozen=True)
class Optimum:
    """No placement has a worst pressure below `bound`; `placement` has `pressure`."""

    bound: float
    pressure: float
    placement: Ints


def lowest_pressure(
    fleet: Fleet, demand: Floats, start: Ints, tolerance: float = TOLERANCE, nodes: int = NODES
) -> Optimum:
    """Bound the worst pressure over all placements of demand [models]. `start` is any placement that fits."""
    low = _simple_bound(fleet, demand)
    best = search(fleet, demand, start)
    needed = _worst(fleet, demand, best)  # at most
    while needed > low * (1 + tolerance):
        tried = low + (needed - low) / 4  # proofs are quicker further down
        found = _pack(fleet, demand, tried, nodes)
        if isinstance(found, _Infeasible):
            low = max(low, tried * (1 - SAFETY))
        elif found is None:
            break
        else:
            needed = tried
            better = improve(fleet, demand, found)
            best = min(best, better, key=lambda at: _worst(fleet, demand, at))
    high = _worst(fleet, demand, best)
    return Optimum(min(low, high), high, best)


def _worst(fleet: Fleet, demand: Floats, placement: Ints) -> float:
    return float(fleet.pressure(placement, demand).max())


def _simple_bound(fleet: Fleet, demand: Floats) -> float:
    """All demand over all free memory (the worst ratio is no less than that of the sums), or one model alone."""
    spread = demand.sum() / (fleet.memory.sum() - fleet.weights.sum())
    alone = (demand / (fleet.memory.max() - fleet.weights)).max()
    return float(max(spread, alone))


def _greedy(fleet: Fleet, demand: Floats, otherwise: Ints) -> Ints:
    """Most demanding model first, each to the GPU that it leaves with the least pressure; `otherwise` if stuck."""
    free, load = fleet.memory.copy(), np.zeros(fleet.gpus)
    placement = np.empty(fleet.models, dtype=np.int64)
    for model in np.argsort(-demand, kind="stable"):
        left = free - fleet.weights[model]
        price = np.where(left >= RESERVE, (load + demand[model]) / np.maximum(left, RESERVE), np.inf)
        gpu = int(np.argmin(price))
        if not np.isfinite(price[gpu]):
            return otherwise
        placement[model], free[gpu] = gpu, left[gpu]
        load[gpu] += demand[model]
    return placement


def search(fleet: Fleet, demand: Floats, start: Ints) -> Ints:
    """A good placement: local search from greedy and from `start`, then from disturbed versions of the best so far."""
    rng = np.random.default_rng(0)
    found = [improve(fleet, demand, at) for at in (_greedy(fleet, demand, start), start)]
    best = min(found, key=lambda at: _worst(fleet, demand, at))
    for _ in range(KICKS):
        kicked = best.copy()
        some = rng.choice(fleet.models, min(3, fleet.models), replace=False)
        kicked[some] = rng.integers(fleet.gpus, size=len(some)) if rng.random() < 0.5 else kicked[np.roll(some, 1)]
        if fleet.fits(kicked):
            best = min(best, improve(fleet, demand, kicked), key=lambda at: _worst(fleet, demand, at))
    return best


def improve(fleet: Fleet, demand: Floats, placement: Ints) -> Ints:
    """Local search: move a model off the worst GPU, or swap it, as long as the pair of GPUs gets better."""
    placement = placement.copy()
    while True:
        free, load = fleet.free(placement), fleet.total(placement, demand)
        pressure = load / free
        worst = int(np.argmax(pressure))
        change = _best_change(fleet, demand, placement, worst, free, load)
        if change is None or change[0] >= pressure[worst] * (1 - 1e-9):
            return placement
        _, model, other, gpu = change
        placement[model] = gpu
        if other >= 0:
            placement[other] = worst


def _best_change(
    fleet: Fleet, demand: Floats, placement: Ints, worst: int, free: Floats, load: Floats
) -> tuple[float, int, int, int] | None:
    """The move or swap that leaves the two GPUs concerned least pressed: (pressure, model, swapped or -1, GPU)."""
    mine = np.flatnonzero(placement == worst)
    others = np.flatnonzero(placement != worst)
    gpu = np.r_[np.delete(np.arange(fleet.gpus), worst), placement[others]]  # where to: plain moves, then swaps
    gains = np.r_[np.zeros(fleet.gpus - 1), fleet.weights[others]]
    demands = np.r_[np.zeros(fleet.gpus - 1), demand[others]]
    shift = fleet.weights[mine, None] - gains
    heavier = demand[mine, None] - demands
    here, there = free[worst] + shift, free[gpu] - shift
    fits = (here >= RESERVE) & (there >= RESERVE)
    kept = (load[worst] - heavier) / np.maximum(here, RESERVE)
    given = (load[gpu] + heavier) / np.maximum(there, RESERVE)
    pressure = np.where(fits, np.maximum(kept, given), np.inf)
    if pressure.size == 0:
        return None
    row, column = np.unravel_index(int(np.argmin(pressure)), pressure.shape)
    swapped = int(others[column - fleet.gpus + 1]) if column >= fleet.gpus - 1 else -1
    return float(pressure[row, column]), int(mine[row]), swapped, int(gpu[column])


class _Infeasible:
    """The answer that no placement stays within a pressure."""


INFEASIBLE: Final = _Infeasible()


def _pack(fleet: Fleet, demand: Floats, pressure: float, nodes: int) -> Ints | _Infeasible | None:
    """A placement within the pressure (to HiGHS's tolerance), INFEASIBLE, or None if the nodes did not suffice."""
    size = fleet.weights + demand / pressure
    columns = np.argwhere(_allowed(fleet, np.argsort(-size, kind="stable")))  # (model, gpu): one binary each
    solver = _solver(nodes)
    solver.addVars(len(columns), np.zeros(len(columns)), np.ones(len(columns)))
    index = np.arange(len(columns), dtype=np.int32)
    solver.changeColsIntegrality(len(index), index, np.full(len(index), highspy.HighsVarType.kInteger))
    for model in range(fleet.models):
        mine = index[columns[:, 0] == model]
        solver.addRow(1.0, 1.0, len(mine), mine, np.ones(len(mine)))
    for gpu, memory in enumerate(fleet.memory):
        here = index[columns[:, 1] == gpu]
        models = columns[here, 0]
        solver.addRow(-highspy.kHighsInf, float(memory), len(here), here, size[models])
        solver.addRow(-highspy.kHighsInf, float(memory - RESERVE), len(here), here, fleet.weights[models])
    solver.run()
    match solver.getModelStatus():
        case highspy.HighsModelStatus.kInfeasible:
            return INFEASIBLE
        case highspy.HighsModelStatus.kOptimal:
            chosen = np.asarray(solver.getSolution().col_value) > 0.5
            placement = np.zeros(fleet.models, dtype=np.int64)
            placement[columns[chosen, 0]] = columns[chosen, 1]
            return placement if fleet.fits(placement) else None
        case _:
            return None


def _solver(nodes: int) -> highspy.Highs:
    solver = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 1, "mip_max_nodes": nodes, **NO_HEURISTICS}.items():
        solver.setOptionValue(option, value)
    return solver


def _allowed(fleet: Fleet, order: Ints) -> npt.NDArray[np.bool_]:
    """Which model may go where, [models, gpus]: of GPUs that are alike, the n-th of `order` may use the first n."""
    allowed = np.ones((fleet.models, fleet.gpus), dtype=bool)
    for size in np.unique(fleet.memory):
        for rank, gpu in enumerate(np.flatnonzero(fleet.memory == size)):
            allowed[order[:rank], gpu] = False
    return allowed
