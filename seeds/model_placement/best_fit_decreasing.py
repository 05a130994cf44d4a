"""Best-fit decreasing under a pressure found by bisection, anew each period.

For a pressure P the models are items of the size weights + demand / P and the GPUs are bins of their memory. Largest
first, each item goes to the bin that it leaves fullest (best-fit decreasing: Johnson, "Fast algorithms for bin
packing", 1974); bisection finds the least P for which that fits (MULTIFIT: Coffman, Garey and Johnson, "An application
of bin-packing to multiprocessor scheduling", 1978).
"""

import numpy as np

STEPS = 12  # of the bisection
RESERVE = 4.0  # GB that weights must leave free


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    demand = rates.mean(axis=0) / slo
    free = memory - np.bincount(placement, weights, len(memory))
    high = (np.bincount(placement, demand, len(memory)) / free).max()
    low = demand.sum() / (memory.sum() - weights.sum())
    answer = placement
    for _ in range(STEPS):
        pressure = (low + high) / 2
        packed = pack(weights + demand / max(pressure, 1e-12), weights, memory)
        if packed is None:
            low = pressure
        else:
            answer, high = packed, pressure
    return answer


def pack(size, weights, memory):
    """Best-fit decreasing, or None if an item finds no room."""
    room = memory.copy()
    free = memory - RESERVE
    answer = np.empty(len(size), dtype=np.int64)
    for model in np.argsort(-size, kind="stable"):
        left = np.where(free >= weights[model], room - size[model], -1.0)
        left[left < 0] = np.inf
        gpu = int(np.argmin(left))
        if not np.isfinite(left[gpu]):
            return None
        answer[model] = gpu
        room[gpu] -= size[model]
        free[gpu] -= weights[model]
    return answer
