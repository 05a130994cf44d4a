"""A stream of requests with SLOs, and the instance that serves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.scheduler import Scheduler
from evaluators.serving.engine.serve import serve_on
from evaluators.serving.request import Request
from evaluators.serving.slo.bound import Bound, Prices
from evaluators.serving.slo.promises import alone_seconds, seconds


@dataclass(frozen=True)
class Case:
    """A workload ready to run.

    Args:
        requests: In order of arrival; at least one.
        cached: Whether the instance has a prefix cache.
    """

    requests: Sequence[Request]
    deployment: Deployment
    cached: bool = False

    def serve(self, scheduler: Scheduler, recorder: Recorder) -> None:
        """Serve all requests. Raises `Refused`."""
        serve_on(self.deployment, self.requests, scheduler, recorder, self.cached)

    @cached_property
    def until(self) -> float:
        """The last arrival and the seconds that serving all one by one takes: who needs longer starves somebody."""
        return self.requests[-1].arrival + sum(_alone(self.deployment, each) for each in self.requests)

    @cached_property
    def attainable(self) -> float:
        """Share of the requests that can be served within their SLOs, at most."""
        return Bound(self.requests, Prices.of(self.deployment), self.cached).attainment


def _alone(on: Deployment, request: Request) -> float:
    """Seconds that a request takes alone."""
    decodes = request.output_tokens - 1
    middle = Batch(1, 1, 1, 0, 0, 1, request.prompt_tokens + decodes // 2)
    return alone_seconds(on, request.prompt_tokens) + decodes * seconds(on, middle)
