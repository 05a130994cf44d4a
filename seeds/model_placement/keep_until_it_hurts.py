"""Keep until it hurts: models move only when the worst pressure is well above what packing anew would give.

Threshold-triggered migration (hysteresis), as cluster managers use it to keep virtual machines where they are: first
when is decided, then where to (Beloglazov and Buyya, "Optimal online deterministic algorithms and adaptive heuristics
for energy and performance efficient dynamic consolidation of virtual machines", 2012). New placements are the greedy
ones of pressure.
"""

import numpy as np

HURTS = 1.5  # times the worst pressure of a new placement: beyond it the present one is given up
RESERVE = 4.0  # GB that weights must leave free


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    demand = rates.mean(axis=0) / slo
    packed = pack(demand, weights, memory, placement)
    hurts = worst(placement, demand, weights, memory) > HURTS * worst(packed, demand, weights, memory)
    return packed if hurts else placement


def pack(demand, weights, memory, otherwise):
    free = memory.copy()
    load = np.zeros(len(memory))
    answer = np.empty(len(demand), dtype=np.int64)
    for model in np.argsort(-demand, kind="stable"):
        left = free - weights[model]
        price = np.where(left >= RESERVE, (load + demand[model]) / np.maximum(left, RESERVE), np.inf)
        gpu = int(np.argmin(price))
        if left[gpu] < RESERVE:
            return otherwise
        answer[model] = gpu
        load[gpu] += demand[model]
        free[gpu] = left[gpu]
    return answer


def worst(placement, demand, weights, memory):
    load = np.bincount(placement, demand, len(memory))
    return (load / (memory - np.bincount(placement, weights, len(memory)))).max()
