"""Greedy placement: the most demanding model first, each to the GPU that it leaves with the least KV pressure.

Longest processing time first (Graham 1969, "Bounds on multiprocessing timing anomalies") with Prism's pressure, demand
over free memory, as the load of a GPU. The demand expected is that of the period just observed.
"""

import numpy as np

NEWEST = 1.0  # share of the newest period in the expected rates; the rest is what was expected before
STAY = 0.0  # discount on the pressure of the GPU that has the model already, as a share of the mean pressure
WORTH = 0.0  # least gain in the worst pressure, as a share of it, for which models are moved at all
RESERVE = 4.0  # GB that weights must leave free

expected = {}  # kept between calls


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    demand = forecast(rates) / slo
    answer = pack(demand, weights, memory, placement)
    if worst(answer, demand, weights, memory) > (1.0 - WORTH) * worst(placement, demand, weights, memory):
        return placement
    return answer


def forecast(rates):
    """Requests per second expected of each model until the next call."""
    seen = rates.mean(axis=0)
    before = expected.get("rates", seen)
    expected["rates"] = NEWEST * seen + (1.0 - NEWEST) * before
    return expected["rates"]


def pack(demand, weights, memory, placement):
    """A placement that fits; the present one if some model finds no room."""
    mean = demand.sum() / (memory.sum() - weights.sum())
    free = memory.copy()
    load = np.zeros(len(memory))
    answer = placement.copy()
    for model in np.argsort(-demand, kind="stable"):
        left = free - weights[model]
        price = (load + demand[model]) / np.maximum(left, RESERVE)
        price[placement[model]] -= STAY * mean
        price[left < RESERVE] = np.inf
        gpu = int(np.argmin(price))
        if left[gpu] < RESERVE:
            return placement
        answer[model] = gpu
        load[gpu] += demand[model]
        free[gpu] = left[gpu]
    return answer


def worst(placement, demand, weights, memory):
    """The highest pressure of a GPU."""
    load = np.bincount(placement, demand, len(memory))
    free = memory - np.bincount(placement, weights, len(memory))
    return (load / free).max()
