"""Greedy replication of the hottest experts, then longest processing time first (Graham 1969)."""

import numpy as np


def replicate(load, num_slots):
    """Give every spare slot to the expert with the largest load per replica."""
    num_experts = load.shape[0]
    counts = np.ones(num_experts, dtype=np.int64)
    slots = list(range(num_experts))
    for _ in range(num_slots - num_experts):
        hottest = int(np.argmax(load / (counts + 3.0)))
        slots.append(hottest)
        counts[hottest] += 1
    return np.array(slots), counts


def pack(loads, num_packs):
    """Longest processing time first; every pack holds the same number of items."""
    capacity = len(loads) // num_packs
    totals = np.zeros(num_packs)
    members = [[] for _ in range(num_packs)]
    order = np.argsort(loads, kind="stable")
    for item in order:
        best = -1
        for candidate in range(num_packs):
            if len(members[candidate]) >= capacity:
                continue
            if best < 0 or totals[candidate] < totals[best]:
                best = candidate
        members[best].append(int(item))
        totals[best] += loads[item]
    return members


def spread(members):
    """Flatten the packs to one list of items."""
    flat = []
    for pack_members in members:
        flat.extend(sorted(pack_members))
    return flat


def place(weight, num_replicas, num_gpus):
    """Place each layer on its own."""
    num_layers = len(weight)
    placement = np.zeros((num_layers, num_replicas), dtype=np.int64)
    for layer in range(num_layers):
        load = weight[layer].astype(np.float64)
        slots, counts = replicate(load, num_replicas)
        share = load[slots] / counts[slots]
        members = pack(share, num_gpus)
        placement[layer] = slots[spread(members)]
    return placement
