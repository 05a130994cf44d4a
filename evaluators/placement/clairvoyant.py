"""The best that a clairvoyant could do on a small cluster, moves and loading included: every placement in every period.

Dynamic programming over all placements that fit, period by period. It takes for granted that at the end of a period
all loads are done and no requests wait, which holds to rounding when periods are many times as long as loads and SLOs.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from evaluators.placement.fleet import Ints
from evaluators.placement.timeline import Cluster, State, live_period

NOTHING = 1e-6  # requests that may still wait at the end of a period


def clairvoyant_pressure(cluster: Cluster) -> float:
    """The least mean worst pressure of any sequence of placements. gpus ** models placements: for a handful of models.

    Raises:
        ValueError: a period ends with loads to do or requests waiting.
    """
    fleet, trace = cluster.fleet, cluster.trace
    every = [np.array(choice, dtype=np.int64) for choice in product(range(fleet.gpus), repeat=fleet.models)]
    places = [placement for placement in every if fleet.fits(placement)]
    costs = {tuple(cluster.initial): 0.0}
    for period in range(trace.periods):
        costs = {
            tuple(to): min(
                cost + _period_pressure(cluster, period, np.array(now, dtype=np.int64), to)
                for now, cost in costs.items()
            )
            for to in places
        }
    return min(costs.values()) / trace.periods


def _period_pressure(cluster: Cluster, period: int, now: Ints, to: Ints) -> float:
    fleet, trace = cluster.fleet, cluster.trace
    state = State(np.zeros(fleet.models), np.where(now != to, fleet.load_seconds, 0.0))
    lived = live_period(fleet, trace.lived(period), trace.stretch_seconds, to, state)
    if lived.state.to_load.any() or lived.state.waiting.sum() > NOTHING:
        raise ValueError(f"period {period} ends while models load or requests wait; take longer periods")
    return float(lived.pressure.mean())
