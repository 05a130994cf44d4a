"""Memory that is free and yet of no use to those who wait."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.serving.cluster.node import Node
from evaluators.serving.engine.blocks import blocks_of


def fragmented_share(nodes: Sequence[Node]) -> float:
    """The external fragmentation of the serving nodes' KV memory now, as a share of it.

    Llumnix (Sun et al., OSDI 2024, section 6.3): of the requests at the head of a line that find no room at their own
    instance, as many as the free memory of all instances together could take, and the share of the memory that those
    would take. Smallest first here. A request's demand is the KV of all its tokens up to the next one.
    """
    serving = [node.engine.kv for node in nodes if node.state in ("ready", "draining")]
    free = sum(kv.free for kv in serving)
    fragmented = 0
    for demand in sorted(_blocked(nodes)):
        if fragmented + demand > free:
            break
        fragmented += demand
    return fragmented / sum(kv.total for kv in serving)


def _blocked(nodes: Sequence[Node]) -> list[int]:
    """The demand in blocks of each request at the head of a line that does not fit where it is."""
    demands = []
    for node in nodes:
        first = next(iter(node.engine.waiting.values()), None)
        if first is not None:
            demand = blocks_of(first.target, node.engine.kv.block_size)
            if demand > node.engine.kv.free:
                demands.append(demand)
    return demands
