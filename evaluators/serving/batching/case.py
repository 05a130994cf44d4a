"""A workload ready to run: a stream of requests at a load, on a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from evaluators.serving.batching.bound import Bound, Prices
from evaluators.serving.batching.scenarios import KINDS, Scenario, stream
from evaluators.serving.batching.slos import alone_seconds, seconds
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance, Scheduler
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.serve import serve
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request

PATIENCE = 1.0  # times the time that serving the requests one after the other takes
QUEUE = 4  # streams that are there at once when the capacity is measured


@dataclass(frozen=True)
class Case:
    """Requests in order of arrival, and the instance that serves them."""

    requests: Sequence[Request]
    deployment: Deployment
    cached: bool

    def serve(self, scheduler: Scheduler) -> Recorder:
        """Serve all requests. Raises `Refused`."""
        recorder = Recorder()
        cache = PrefixCache(self.deployment.block_size) if self.cached else None
        serve(Instance(self.deployment, scheduler, recorder, cache), self.requests)
        return recorder

    @cached_property
    def until(self) -> float:
        """Seconds; who has not served everything by then starves somebody."""
        return self.requests[-1].arrival + PATIENCE * sum(_serial(self.deployment, each) for each in self.requests)

    @cached_property
    def attainable(self) -> float:
        """Share of the requests that can be served within their SLOs, at most."""
        return Bound(self.requests, Prices.of(self.deployment), self.cached).attainment


def _serial(on: Deployment, request: Request) -> float:
    """Seconds that a request takes alone."""
    decodes = request.output_tokens - 1
    middle = Batch(1, 1, 1, 0, 0, 1, request.prompt_tokens + decodes // 2)
    return alone_seconds(on, request.prompt_tokens) + decodes * seconds(on, middle)


def case_of(scenario: Scenario, load: float, seed: int) -> Case:
    """The scenario's stream, as fast as the load says."""
    kind, on = KINDS[scenario.kind], scenario.deployment()
    requests = stream(kind, on, scenario.requests, seed)
    return Case(at_load(requests, load * capacity(scenario, seed)), on, kind.cached)


def at_load(requests: Sequence[Request], rate: float) -> list[Request]:
    """The same requests at so many a second: their times are stretched, so bursts stay as many requests."""
    stretch = len(requests) / requests[-1].arrival / rate
    return [replace(request, arrival=request.arrival * stretch) for request in requests]


@lru_cache(maxsize=64)
def capacity(scenario: Scenario, seed: int) -> float:
    """Requests a second that the engine gets through of a queue of several such streams.

    The levels of an instance share it.
    """
    kind, on = KINDS[scenario.kind], scenario.deployment()
    return throughput(stream(kind, on, QUEUE * scenario.requests, seed), on, kind.cached)


def throughput(requests: Sequence[Request], on: Deployment, cached: bool) -> float:
    """Requests a second that vLLM's scheduler with its default budget gets through if all are there at once."""
    queue = [replace(request, arrival=0.0) for request in requests]
    recorder = Case(queue, on, cached).serve(VllmV1(max_batch_tokens=2048))
    return len(queue) / recorder.busy
