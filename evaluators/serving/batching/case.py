"""Streams of requests at a load: as fast, by the engine's measured capacity, as a workload says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from evaluators.serving.batching.scenarios import KINDS, Scenario, stream
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request
from evaluators.serving.slo.case import Case

QUEUE = 4  # streams that are there at once when the capacity is measured


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
    recorder = Recorder()
    Case(queue, on, cached).serve(VllmV1(max_batch_tokens=2048), recorder)
    return len(queue) / recorder.busy
