"""Run one instance over a stream of requests."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.serving.engine.instance import Instance
from evaluators.serving.request import Request


def serve(instance: Instance, requests: Iterable[Request]) -> None:
    """Serve requests, given in order of arrival, until all are answered. Raises `Refused` of an illegal step."""
    for request in requests:
        instance.advance(request.arrival)
        instance.submit(request, request.arrival)
        instance.ended.clear()
    instance.drain()
