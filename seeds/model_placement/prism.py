"""Prism's global placement (Yu et al., "Prism", arXiv 2505.04021, 2025; Algorithm 1).

Models in descending order of rate / SLO; each goes to the GPU whose KV pressure ratio is lowest so far, unless that is
better than its present GPU's by no more than a threshold. Two things the paper leaves open: the threshold, here a share
of the mean pressure (TAU), and models that find no room, for which the present placement is kept.
"""

import numpy as np

TAU = 0.2
RESERVE = 4.0  # GB that weights must leave free


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    demand = rates.mean(axis=0) / slo
    tau = TAU * demand.sum() / (memory.sum() - weights.sum())
    free = memory.copy()
    load = np.zeros(len(memory))
    answer = placement.copy()
    for model in np.argsort(-demand, kind="stable"):
        room = free - weights[model] >= RESERVE
        if not room.any():
            return placement
        after = (load + demand[model]) / np.maximum(free - weights[model], RESERVE)
        pressure = np.where(room, after, np.inf)
        best, current = int(np.argmin(pressure)), int(placement[model])
        gpu = best if pressure[current] - pressure[best] > tau else current
        answer[model] = gpu
        load[gpu] += demand[model]
        free[gpu] -= weights[model]
    return answer
