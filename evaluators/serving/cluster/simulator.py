"""A cluster of engines behind a dispatcher, by events: arrivals, ticks, and stages of migrations and of starts."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from evaluators.serving.cluster.fragmentation import fragmented_share
from evaluators.serving.cluster.migration import Network
from evaluators.serving.cluster.migrator import Migrator, Move
from evaluators.serving.cluster.node import Node
from evaluators.serving.cluster.outcome import Outcome, outcome_of
from evaluators.serving.cluster.seats import KeepingSeats
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.step import Refused
from evaluators.serving.request import Request


@dataclass(frozen=True)
class Setting:
    """What the cluster is made of.

    Args:
        instances: All there are; `ready` of them serve at the start, the others are stopped.
        load_seconds: From the start of an instance until it is ready.
        tick: Seconds between two calls of `rebalance`.
        prefix_cache: Whether the instances keep the KV of prompts that others may share.
    """

    deployment: Deployment
    instances: int
    ready: int
    load_seconds: float
    network: Network
    tick: float
    prefix_cache: bool = False


@dataclass(frozen=True)
class Changes:
    """What a dispatcher changes at a tick: requests to move, and nodes to start and to stop."""

    moves: Sequence[Move] = ()
    start: Sequence[int] = ()
    stop: Sequence[int] = ()


class Dispatcher(Protocol):
    """The decisions."""

    def route(self, now: float, request: Request, cluster: Cluster) -> int:
        """The node that a request goes to, which must be ready. Raises `Refused`."""

    def rebalance(self, now: float, cluster: Cluster) -> Changes:
        """What to change now; moves of requests that are where they are said to be. Raises `Refused`."""


class Cluster:
    """Engines that share the requests of a stream.

    Attributes:
        nodes: All, by id.
        migrator: Carries out moves.
    """

    def __init__(self, setting: Setting, dispatcher: Dispatcher) -> None:
        self.setting = setting
        self.recorder = Recorder()
        self.nodes = [self._node(identity) for identity in range(setting.instances)]
        self.migrator = Migrator(self.nodes, setting.network, self._at)
        self._dispatcher = dispatcher
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._scheduled = 0  # events so far: those of one time happen in the order in which they were scheduled
        self._fragmented: list[float] = []

    def run(self, requests: Sequence[Request], latest: float = float("inf")) -> Outcome:
        """Serve all requests, given in order of arrival from 0 s on.

        Raises:
            Refused: an answer of the dispatcher is not possible, or some request is not finished at `latest`.
        """
        self._expect(iter(requests))
        self._at(self.setting.tick, self._tick)
        while self.recorder.finished < len(requests):
            now, _, event = heapq.heappop(self._events)
            for node in self.nodes:
                node.advance(now)
            if now > latest:
                left = len(requests) - self.recorder.finished
                raise Refused(f"{left} of {len(requests)} requests are not finished after {latest:.0f} s")
            if self.recorder.finished < len(requests):
                event(now)
        return outcome_of(self.recorder, self.nodes, self.migrator, self._fragmented)

    def _node(self, identity: int) -> Node:
        deployment = self.setting.deployment
        cache = PrefixCache(deployment.block_size) if self.setting.prefix_cache else None
        scheduler = KeepingSeats()
        engine = Instance(deployment, scheduler, self.recorder, cache)
        return Node(identity, engine, scheduler, "ready" if identity < self.setting.ready else "stopped")

    def _at(self, time: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, self._scheduled, event))
        self._scheduled += 1

    def _expect(self, requests: Iterator[Request]) -> None:
        request = next(requests, None)
        if request is not None:
            self._at(request.arrival, partial(self._arrive, request, requests))

    def _arrive(self, request: Request, others: Iterator[Request], now: float) -> None:
        self._expect(others)
        node = self.nodes[self._dispatcher.route(now, request, self)]
        node.engine.submit(request, now)

    def _tick(self, now: float) -> None:
        self._fragmented.append(fragmented_share(self.nodes))
        changes = self._dispatcher.rebalance(now, self)
        for identity in changes.start:
            if self.nodes[identity].start(now):
                self._at(now + self.setting.load_seconds, partial(self._loaded, self.nodes[identity]))
        for identity in changes.stop:
            self.nodes[identity].drain(now)
        self.migrator.plan(changes.moves, now)
        self._at(now + self.setting.tick, self._tick)

    def _loaded(self, node: Node, now: float) -> None:
        node.state = "ready"
