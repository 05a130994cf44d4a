"""Greedy replication, then longest processing time first.

Every spare slot goes to the expert whose replicas carry most; then the replicas, heaviest first, each go to the GPU
that carries least and has a free slot (Graham 1969, "Bounds on multiprocessing timing anomalies", with a cap on the
number of jobs a machine). The load expected is that of the window just observed.
"""

import numpy as np

NEWEST = 1.0  # share of the newest window in the expected load; the rest is what was expected before
STAY = 0.0  # discount, in mean replica loads, for a GPU that holds the expert already

expected = {}  # kept between calls


def rebalance_experts(weight, num_replicas, num_groups, num_nodes, num_gpus, old_phy2log=None):
    load = forecast(weight)
    placement = np.empty((len(load), num_replicas), dtype=np.int64)
    for layer in range(len(load)):
        old = None if old_phy2log is None else old_phy2log[layer]
        replicas = replicate(load[layer], num_replicas)
        placement[layer] = pack(load[layer], replicas, num_gpus, old)
    return placement


def forecast(weight):
    """Load expected of each expert until the next call."""
    before = expected.get("load", weight)
    load = NEWEST * weight + (1.0 - NEWEST) * before
    expected["load"] = load
    return load


def replicate(load, num_replicas):
    """Number of replicas of each expert."""
    count = np.ones(len(load), dtype=np.int64)
    for _ in range(num_replicas - len(load)):
        count[np.argmax(load / count)] += 1
    return count


def pack(load, count, num_gpus, old):
    """Slots of one layer: `count[e]` replicas of each expert e, equally many slots on every GPU."""
    num_replicas = int(count.sum())
    slots = num_replicas // num_gpus
    share = load / count
    held = np.zeros((len(load), num_gpus))
    if old is not None:
        held[old, np.arange(num_replicas) // slots] = 1.0
    discount = STAY * share.mean() * held
    gpu_load = np.zeros(num_gpus)
    free = np.full(num_gpus, slots)
    placed = [[] for _ in range(num_gpus)]
    for expert in np.repeat(np.arange(len(load)), count)[np.argsort(-np.repeat(share, count), kind="stable")]:
        price = gpu_load - discount[expert]
        price[free == 0] = np.inf
        gpu = int(np.argmin(price))
        gpu_load[gpu] += share[expert]
        free[gpu] -= 1
        placed[gpu].append(expert)
    return np.concatenate(placed)
