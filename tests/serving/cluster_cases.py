"""Small clusters, scripted dispatchers and random ones, for tests of the serving cluster."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serving_cases import UNIT, ToyCost, toy

from evaluators.serving.cluster.migration import Network
from evaluators.serving.cluster.migrator import Move
from evaluators.serving.cluster.simulator import Changes, Cluster, Setting
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.request import Request


@dataclass(frozen=True)
class EvenCost(ToyCost):
    """More work never takes less time; the other toy's attention comes cheaper to some numbers of sequences."""

    def context_slope(self, decodes: int) -> float:
        return UNIT * self.context


def even(**changes: int) -> Deployment:
    """An engine with `EvenCost`; an iteration of one decode takes about 5,000 UNITs."""
    return replace(toy(**changes), cost=EvenCost())


SLOW_NETWORK = Network(bytes_per_second=64 / (200 * UNIT), handshake=100 * UNIT)  # 200 units a token


def setting(deployment: Deployment, instances: int, ready: int | None = None, **changes: object) -> Setting:
    """A cluster that rebalances every 20,000 UNITs."""
    usual = Setting(deployment, instances, instances if ready is None else ready, 0.1, SLOW_NETWORK, 20_000 * UNIT)
    return replace(usual, **changes)


@dataclass
class Scripted:
    """A dispatcher that routes by a function of the request, and changes what a function of the time says."""

    where: Callable[[Request], int] = lambda request: 0
    change: Callable[[float, Cluster], Changes] = lambda now, cluster: Changes()

    def route(self, now: float, request: Request, cluster: Cluster) -> int:
        return self.where(request)

    def rebalance(self, now: float, cluster: Cluster) -> Changes:
        return self.change(now, cluster)


@dataclass
class Random:
    """Anything that is allowed, at random; keeps what it saw broken."""

    rng: random.Random
    moves: float = 0.5
    scales: float = 0.2

    def route(self, now: float, request: Request, cluster: Cluster) -> int:
        check_whole(cluster)
        return self.rng.choice([node.id for node in cluster.nodes if node.state == "ready"])

    def rebalance(self, now: float, cluster: Cluster) -> Changes:
        check_whole(cluster)
        ready = [node.id for node in cluster.nodes if node.state == "ready"]
        off = [node.id for node in cluster.nodes if node.state in ("stopped", "draining")]
        start = self.rng.sample(off, 1) if off and self.rng.random() < self.scales else []
        stop = self.rng.sample(ready, 1) if len(ready) > 1 and self.rng.random() < self.scales else []
        targets = [each for each in ready if each not in stop]
        moves = [
            Move(identity, node.id, target)
            for node in cluster.nodes
            for identity in [*node.engine.waiting, *node.engine.decoding.members]
            if identity not in cluster.migrator.moving and self.rng.random() < self.moves
            for target in [self.rng.choice(targets)]
            if target != node.id
        ]
        return Changes(moves, start, stop)


def check_whole(cluster: Cluster) -> None:
    """No request is at two places, and no block is counted that nobody has."""
    present = [
        identity
        for node in cluster.nodes
        for identity in [
            *node.engine.waiting,
            *node.engine.running,
            *(each.id for each in node.landed),
            *(each.id for each in cluster.migrator.between(node)),
        ]
    ]
    assert len(set(present)) == len(present)
    for node in cluster.nodes:
        kv = node.engine.kv
        assert 0 <= kv.in_use <= kv.total
        assert kv.reserved == 0 or node.receiving
        if node.state == "stopped":
            assert not present or all(identity not in node.engine.running for identity in present)
            assert node.engine.idle and kv.in_use == 0


def requests_of(arrivals: Sequence[int], prompt: int, output: int) -> list[Request]:
    """Alike; arrivals in UNITs."""
    return [Request(id, arrival * UNIT, prompt, output) for id, arrival in enumerate(arrivals)]
