"""The static optimum, solved anew each period: depth-first branch and bound on Prism's objective.

Land and Doig's scheme (1960) on assignments: models in descending order of their share of demand and memory, each tried
on every GPU, the least pressed first; GPUs alike in memory, load and room are tried once. A branch ends when a GPU's
pressure, which can only grow, or all demand over all free memory, reaches the best placement found. It starts from a
greedy placement improved by moves and swaps, and stops after NODES nodes, so that on large clusters it is a good
placement and no proof.
"""

import numpy as np

NODES = 2500
RESERVE = 4.0  # GB that weights must leave free


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    demand = rates.mean(axis=0) / slo
    if demand.sum() == 0:
        return placement
    start = improve(greedy(demand, weights, memory, placement), demand, weights, memory)
    return search(demand, weights, memory, start)


def search(demand, weights, memory, start):
    """The best placement found by branch and bound; GPUs are kept as plain floats, which is quicker than arrays."""
    order = np.argsort(-(demand / demand.sum() + weights / weights.sum()), kind="stable").tolist()
    need, size = demand.tolist(), weights.tolist()
    lowest = demand.sum() / (memory.sum() - weights.sum()) * (1 + 1e-6)
    best = [pressures(start, demand, weights, memory).max(), start.tolist()]
    load, free = [0.0] * len(memory), memory.tolist()
    answer = [0] * len(order)
    nodes = [NODES]

    def descend(depth):
        if depth == len(order):
            best[0] = max(a / b for a, b in zip(load, free, strict=True))
            best[1] = answer.copy()
            return
        model = order[depth]
        tried = set()
        options = []
        for gpu in range(len(free)):
            left = free[gpu] - size[model]
            if left >= RESERVE and (load[gpu], free[gpu]) not in tried:
                tried.add((load[gpu], free[gpu]))
                options.append(((load[gpu] + need[model]) / left, gpu))
        for pressure, gpu in sorted(options):
            if pressure >= best[0] or best[0] <= lowest or nodes[0] <= 0:
                return
            nodes[0] -= 1
            before = load[gpu], free[gpu]
            load[gpu], free[gpu] = load[gpu] + need[model], free[gpu] - size[model]
            answer[model] = gpu
            descend(depth + 1)
            load[gpu], free[gpu] = before

    descend(0)
    return np.array(best[1], dtype=np.int64)


def greedy(demand, weights, memory, otherwise):
    free, load = memory.copy(), np.zeros(len(memory))
    answer = np.empty(len(demand), dtype=np.int64)
    for model in np.argsort(-demand, kind="stable"):
        left = free - weights[model]
        price = np.where(left >= RESERVE, (load + demand[model]) / np.maximum(left, RESERVE), np.inf)
        gpu = int(np.argmin(price))
        if left[gpu] < RESERVE:
            return otherwise
        answer[model], free[gpu] = gpu, left[gpu]
        load[gpu] += demand[model]
    return answer


def improve(placement, demand, weights, memory):
    """Moves and swaps off the worst GPU while they lower the pressure of the two GPUs concerned."""
    placement = placement.copy()
    while True:
        load = np.bincount(placement, demand, len(memory))
        free = memory - np.bincount(placement, weights, len(memory))
        worst = int(np.argmax(load / free))
        found = best_change(placement, demand, weights, load, free, worst)
        if found is None:
            return placement
        model, gpu, other = found
        placement[model] = gpu
        if other >= 0:
            placement[other] = worst


def best_change(placement, demand, weights, load, free, worst):
    """(model, GPU, model that comes back or -1) of the best change, or None if none lowers the pressure."""
    mine, others = np.flatnonzero(placement == worst), np.flatnonzero(placement != worst)
    gpus = np.delete(np.arange(len(free)), worst)
    back = np.concatenate([np.full(len(gpus), -1), others])
    gpu = np.concatenate([gpus, placement[others]])
    size = weights[mine, None] - np.where(back >= 0, weights[back], 0.0)
    need = demand[mine, None] - np.where(back >= 0, demand[back], 0.0)
    here, there = free[worst] + size, free[gpu] - size
    price = np.maximum(
        (load[worst] - need) / np.maximum(here, RESERVE), (load[gpu] + need) / np.maximum(there, RESERVE)
    )
    price[(here < RESERVE) | (there < RESERVE)] = np.inf
    if not price.size or price.min() >= load[worst] / free[worst] * (1 - 1e-9):
        return None
    row, column = np.unravel_index(int(np.argmin(price)), price.shape)
    return int(mine[row]), int(gpu[column]), int(back[column])


def pressures(placement, demand, weights, memory):
    return np.bincount(placement, demand, len(memory)) / (memory - np.bincount(placement, weights, len(memory)))
