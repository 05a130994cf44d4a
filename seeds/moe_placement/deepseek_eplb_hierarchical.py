"""DeepSeek EPLB: hierarchical where groups divide among nodes, else global.

After github.com/deepseek-ai/EPLB (`rebalance_experts`, `rebalance_experts_hierarchical`), written anew in numpy: pack
the expert groups on the nodes, so that group-limited routing reaches few nodes; replicate within each node; pack each
node's replicas on its GPUs. The global policy is the same with one group and one node. vLLM and SGLang run this.
"""

import numpy as np


def rebalance_experts(weight, num_replicas, num_groups, num_nodes, num_gpus, old_phy2log=None):
    weight = weight.astype(np.float32)
    if num_groups % num_nodes:
        num_groups = num_nodes = 1
    return hierarchical(weight, num_replicas, num_groups, num_nodes, num_gpus)


def hierarchical(weight, num_replicas, num_groups, num_nodes, num_gpus):
    layers, experts = weight.shape
    node_experts = experts // num_nodes

    group_size = experts // num_groups
    node, place = balanced_packing(weight.reshape(layers, num_groups, group_size).sum(axis=2), num_nodes)
    first = (node * (num_groups // num_nodes) + place) * group_size  # of each group in node order
    renamed = (first[:, :, None] + np.arange(group_size)).reshape(layers, experts)  # expert -> index in node order
    original = np.argsort(renamed, axis=1)  # and back

    by_node = np.take_along_axis(weight, original, axis=1).reshape(layers * num_nodes, node_experts)
    phy2node, count = replicate_experts(by_node, num_replicas // num_nodes)

    load = np.take_along_axis(by_node / count, phy2node, axis=1)
    gpu, place = balanced_packing(load, num_gpus // num_nodes)
    slot = gpu * (num_replicas // num_gpus) + place
    placed = np.empty_like(phy2node)
    np.put_along_axis(placed, slot, phy2node, axis=1)

    offset = np.arange(num_nodes)[None, :, None] * node_experts
    renamed_slots = (placed.reshape(layers, num_nodes, -1) + offset).reshape(layers, num_replicas)
    return np.take_along_axis(original, renamed_slots, axis=1)


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
