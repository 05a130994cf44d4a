"""Run one instance over a stream of requests."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.scheduler import Scheduler
from evaluators.serving.request import Request


def serve_on(
    deployment: Deployment, requests: Iterable[Request], scheduler: Scheduler, recorder: Recorder, cached: bool
) -> None:
    """Serve requests on a new instance, with a prefix cache if `cached`. Raises `Refused` of an illegal step."""
    cache = PrefixCache(deployment.block_size) if cached else None
    serve(Instance(deployment, scheduler, recorder, cache), requests)


def serve(instance: Instance, requests: Iterable[Request]) -> None:
    """Serve requests, given in order of arrival, until all are answered. Raises `Refused` of an illegal step."""
    for request in requests:
        instance.advance(request.arrival)
        instance.submit(request, request.arrival)
        instance.ended.clear()
    instance.drain()
