"""DeepSeek EPLB, global policy: replicate all experts by load, pack the replicas on the GPUs.

After github.com/deepseek-ai/EPLB (`rebalance_experts` where groups do not divide among nodes: the hierarchical routine
with one group and one node), written anew in numpy.
"""

import numpy as np


def rebalance_experts(weight, num_replicas, num_groups, num_nodes, num_gpus, old_phy2log=None):
    weight = weight.astype(np.float32)
    phy2log, count = replicate_experts(weight, num_replicas)
    load = np.take_along_axis(weight / count, phy2log, axis=1)
    gpu, place = balanced_packing(load, num_gpus)
    slot = gpu * (num_replicas // num_gpus) + place
    placement = np.empty_like(phy2log)
    np.put_along_axis(placement, slot, phy2log, axis=1)
    return placement


def replicate_experts(weight, num_physical):
    """Hand every extra replica to the expert with the most load a replica: (phy2log, replicas per expert)."""
    rows, experts = weight.shape
    row = np.arange(rows)
    phy2log = np.tile(np.arange(num_physical), (rows, 1))
    count = np.ones((rows, experts), dtype=np.int64)
    for slot in range(experts, num_physical):
        chosen = np.argmax(weight / count, axis=1)
        phy2log[:, slot] = chosen
        count[row, chosen] += 1
    return phy2log, count


def balanced_packing(weight, num_packs):
    """Heaviest item first into the lightest pack with room; all packs equally many: (pack of item, place in pack)."""
    rows, items = weight.shape
    room = items // num_packs
    if room == 1:
        return np.tile(np.arange(items), (rows, 1)), np.zeros((rows, items), dtype=np.int64)
    order = np.argsort(-weight, axis=1, kind="stable")
    row = np.arange(rows)
    pack_of = np.empty((rows, items), dtype=np.int64)
    place = np.empty((rows, items), dtype=np.int64)
    load = np.zeros((rows, num_packs))
    filled = np.zeros((rows, num_packs), dtype=np.int64)
    for item in order.T:
        pack = np.argmin(np.where(filled < room, load, np.inf), axis=1)
        pack_of[row, item] = pack
        place[row, item] = filled[row, pack]
        load[row, pack] += weight[row, item]
        filled[row, pack] += 1
    return pack_of, place
