"""What a policy sees of a cluster, and all of it: counts of each instance, and the requests that are there."""

from __future__ import annotations

from collections.abc import Iterator

from evaluators.serving.cluster import interface
from evaluators.serving.cluster.node import Node
from evaluators.serving.cluster.simulator import Cluster
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.request import Request


def request_view(request: Request) -> interface.Request:
    """A request that arrives, without what only the future tells."""
    return interface.Request(request.id, request.prompt_tokens, request.priority, request.session, request.turn)


def instance_views(cluster: Cluster, arriving: Request | None = None) -> list[interface.Instance]:
    """All instances; `cached_tokens` are those of the request that arrives, if one does."""
    sequence = None if arriving is None else Sequence(arriving)
    return [_instance_view(node, sequence) for node in cluster.nodes]


def resident_views(cluster: Cluster) -> list[interface.Resident]:
    """All requests that are at an instance."""
    return [view for node in cluster.nodes for view in _residents(node, cluster)]


def _instance_view(node: Node, arriving: Sequence | None) -> interface.Instance:
    engine = node.engine
    size = engine.kv.block_size
    waiting = [blocks_of(sequence.target, size) for sequence in engine.waiting.values()]
    running = [*engine.running.values(), *node.landed]
    to_prefill = sum(each.remaining for each in engine.prefilling.values())
    return interface.Instance(
        id=node.id,
        state=node.state,
        running=len(running),
        high_priority=sum(each.request.priority > 0 for each in running),
        waiting=len(waiting),
        blocks=engine.kv.total,
        free_blocks=engine.kv.free,
        waiting_blocks=sum(waiting),
        first_waiting_blocks=waiting[0] if waiting else 0,
        prefill_tokens=to_prefill + sum(each.target for each in engine.waiting.values()),
        cached_tokens=0 if arriving is None else engine.kv.match(arriving),
        sending=node.sending,
        receiving=node.receiving,
    )


def _residents(node: Node, cluster: Cluster) -> Iterator[interface.Resident]:
    engine, moving = node.engine, cluster.migrator.moving
    engine.decoding.refresh()
    for sequence in engine.running.values():
        prefills = sequence.id in engine.prefilling
        yield _resident(node, sequence, "moving" if sequence.id in moving else "prefill" if prefills else "decode")
    for sequence in [*node.landed, *cluster.migrator.between(node)]:
        yield _resident(node, sequence, "moving")
    for sequence in engine.waiting.values():
        yield _resident(node, sequence, "waiting")


def _resident(node: Node, sequence: Sequence, state: str) -> interface.Resident:
    request = sequence.request
    tokens = request.prompt_tokens + sequence.generated
    return interface.Resident(request.id, node.id, state, request.priority, request.arrival, tokens, sequence.generated)
