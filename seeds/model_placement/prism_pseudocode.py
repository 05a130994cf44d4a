"""Prism's global placement to the letter of its pseudo-code (Yu et al., "Prism", arXiv 2505.04021, 2025; Algorithm 1).

As `prism.py`, but GPUs are compared by their KV pressure ratios before the model is added, as the pseudo-code has it.
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
        pressure = np.where(room, load / free, np.inf)
        best, current = int(np.argmin(pressure)), int(placement[model])
        gpu = best if pressure[current] - pressure[best] > tau else current
        answer[model] = gpu
        load[gpu] += demand[model]
        free[gpu] -= weights[model]
    return answer
