"""Streams of requests at a load: as fast, by the engine's measured capacity, as a workload says."""

from __future__ import annotations

from functools import lru_cache

from evaluators.serving.batching.scenarios import KINDS, Scenario, stream
from evaluators.serving.engine.capacity import at_load, throughput
from evaluators.serving.slo.case import Case

QUEUE = 4  # streams that are there at once when the capacity is measured


def case_of(scenario: Scenario, load: float, seed: int) -> Case:
    """The scenario's stream, as fast as the load says."""
    kind, on = KINDS[scenario.kind], scenario.deployment()
    requests = stream(kind, on, scenario.requests, seed)
    return Case(at_load(requests, load * capacity(scenario, seed)), on, kind.cached)


@lru_cache(maxsize=64)
def capacity(scenario: Scenario, seed: int) -> float:
    """Requests a second that the engine gets through of a queue of several such streams.

    The levels of an instance share it.
    """
    kind, on = KINDS[scenario.kind], scenario.deployment()
    return throughput(stream(kind, on, QUEUE * scenario.requests, seed), on, kind.cached)
