"""The interface of MoE expert placement."""

import numpy as np


def rebalance_experts(
    weight: np.ndarray,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    old_phy2log: np.ndarray | None = None,
) -> np.ndarray:
    """Decide which expert sits in which GPU memory slot of every layer for the next interval of serving.

    The engine calls this at every rebalance, in order of time and in one process: module-level variables keep their
    values between the calls of one deployment, so a policy may remember earlier windows and forecast the next one.

    Args:
        weight: float64 [layers, experts]. Tokens routed to each logical expert in the window just observed.
        num_replicas: Slots per layer (physical experts), a multiple of num_gpus and at least the number of experts.
            Slot s belongs to GPU s // (num_replicas // num_gpus); every slot must hold an expert.
        num_groups: Expert groups of equal size in index order (group-limited routing: a token's experts come from a
            few groups only); 1 when the model has none.
        num_nodes: Nodes. GPU g belongs to node g // (num_gpus // num_nodes); links inside a node are faster.
        num_gpus: GPUs, a multiple of num_nodes.
        old_phy2log: int64 [layers, num_replicas]. The placement in force now, in the form of the answer.

    Returns:
        phy2log: int64 [layers, num_replicas], the logical expert in each slot. Each layer must hold every expert at
        least once. The tokens of an expert are dealt evenly to its replicas.
    """
    raise NotImplementedError
