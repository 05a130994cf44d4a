"""Kinds of traffic on deployments: what a regime is made of, and how its requests are drawn from a seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.request import Request
from evaluators.serving.slo.promises import RELAXED, STRICT, promised
from evaluators.serving.traffic import azure, burstgpt, servegen
from evaluators.serving.traffic.lengths import Lognormal
from evaluators.serving.traffic.offline import Batch
from evaluators.serving.traffic.predictions import with_lognormal_error
from evaluators.serving.traffic.sarathi import CHAT, PAPERS
from evaluators.serving.traffic.sessions import SessionProfile
from evaluators.serving.traffic.stream import Traffic

# Conversations whose turns follow each other fast enough to meet within a stream: lengths as of Azure's conversations,
# a third of the gap between turns of Mooncake's, with its spread, and about as many turns as those of ShareGPT.
TURNS = SessionProfile(
    "turns",
    key=0,
    single=0.3,
    more=3.0,
    systems=((1.0, 512),),
    first=azure.CONVERSATION.prompts,
    later=Lognormal(100, 1.0, high=2000),
    answers=azure.CONVERSATION.answers,
    gap=40.0,
    gap_sigma=1.06,
    longest=16_000,
)

# A batch job: short answers to questions about documents, some questions each, with so much time that it may wait for a
# gap in what people wait for.
QUESTIONS = Batch("questions", 10, Lognormal(2000, 0.5, high=6000), Lognormal(50, 0.5), Lognormal(100, 0.5, high=400))
OFFLINE = 20 * RELAXED

Draw = Callable[[float, int], Iterator[Request]]  # rate, seed


@dataclass(frozen=True)
class Kind:
    """A kind of traffic.

    Args:
        rate: Requests a second at which it is drawn: that of its source, where its bursts have a time scale.
        multiple: Of the SLOs of tenant 0, 1 and so on; the last stands for all others.
        prediction: Deviation of the logarithm of the predicted lengths; 0 for no predictions.
        cached: Whether prompts share prefixes, and the engine has a prefix cache.
    """

    draw: Draw
    rate: float
    multiple: tuple[float, ...] = (STRICT,)
    prediction: float = 0.0
    cached: bool = False

    def requests(self, seed: int) -> Iterator[Request]:
        """In order of arrival, without end and without SLOs."""
        requests = self.draw(self.rate, seed)
        return with_lognormal_error(requests, self.prediction, seed) if self.prediction else requests


def _tenants(interactive: Traffic, batch: Traffic, share: float) -> Draw:
    """Two tenants: one whose requests people wait for, and one that may wait, with this share of the requests."""

    def draw(rate: float, seed: int) -> Iterator[Request]:
        streams = [
            (
                replace(request, tenant=tenant, priority=tenant)
                for request in traffic.requests(part * rate, seed + tenant)
            )
            for tenant, (traffic, part) in enumerate(((interactive, 1 - share), (batch, share)))
        ]
        merged = heapq.merge(*streams, key=lambda request: request.arrival)
        return (replace(request, id=place) for place, request in enumerate(merged))

    return draw


def _background(count: int) -> Draw:
    """Conversations of tenant 0, and of tenant 1 so many questions about shared documents, all there at the start."""

    def draw(rate: float, seed: int) -> Iterator[Request]:
        batch = [replace(request, tenant=1, priority=1) for request in QUESTIONS.requests(count, seed)]
        merged = chain(batch, azure.CONVERSATION.requests(rate, seed))
        return (replace(request, id=place) for place, request in enumerate(merged))

    return draw


KINDS: dict[str, Kind] = {
    "conversation": Kind(azure.CONVERSATION.requests, 5.53),
    "conversation-predicted": Kind(azure.CONVERSATION.requests, 5.53, prediction=0.6),
    "code": Kind(azure.CODE.requests, 2.57),
    "code-relaxed": Kind(azure.CODE.requests, 2.57, (RELAXED,)),
    "background": Kind(_background(60), 5.53, (STRICT, OFFLINE), cached=True),
    "burstgpt": Kind(burstgpt.BURSTGPT.requests, 1.0, prediction=0.6),
    "clients": Kind(servegen.LARGE.requests, 20.0, (RELAXED, STRICT)),
    "small-clients": Kind(servegen.MID.requests, 20.0, (STRICT,), prediction=0.6),
    "turns": Kind(TURNS.requests, 4.0, cached=True),
    "two-tenants": Kind(_tenants(azure.CONVERSATION, PAPERS, 0.15), 4.0, (STRICT, RELAXED)),
    "chat": Kind(CHAT.requests, 4.0),
    "chat-relaxed": Kind(CHAT.requests, 4.0, (RELAXED,), prediction=0.6),
    "papers": Kind(PAPERS.requests, 1.0, (RELAXED,)),
}


@dataclass(frozen=True)
class Scenario:
    """A kind of traffic on a deployment.

    Args:
        loads: (least, most) of each level, as shares of what the engine gets through at best; see `capacity`.
        requests: In a stream.
        most_tokens: Of an iteration.
    """

    kind: str
    model: str
    gpu: str
    gpus: int
    loads: tuple[tuple[float, float], ...]
    requests: int = 400
    most_tokens: int = 8192

    def deployment(self) -> Deployment:
        """The instance."""
        return deployment(self.model, self.gpu, self.gpus, limits=Limits(self.most_tokens))


def stream(kind: Kind, on: Deployment, count: int, seed: int) -> list[Request]:
    """The first requests that fit into the KV cache, with their SLOs and numbered from 0."""
    room = on.kv_blocks * on.block_size
    fitting = (each for each in kind.requests(seed) if each.prompt_tokens + each.output_tokens < room)
    last = len(kind.multiple) - 1
    return [
        promised(on, replace(request, id=place), kind.multiple[min(request.tenant, last)])
        for place, request in enumerate(islice(fitting, count))
    ]
