"""What no dispatcher beats: the latencies of requests that never wait, and the instance-seconds that work needs.

*Latency.* A request's iterations hold at least its own part of the batch, and more work never takes less. So a prompt
with n tokens to compute takes no less than one iteration with all of them, if they pass in one; in several, no less
than two that are as short as can be, nor than n times the least cost per token of any chunk and the quadratic part,
which does not depend on the chunks. Each later token takes an iteration in which the request decodes alone. The prefix
cache spares a request only tokens that some other request has, and what only a later one has not before that arrives.

*Instances.* One must always be ready, until the last request is finished. And while a request decodes, its KV takes
room: token-seconds over all requests, less the tokens that may be shared, are no more than capacity times
instance-seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.serving.cluster.outcome import Floats
from evaluators.serving.cluster.reuse import Reuse
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.request import Request

NEVER = float("inf")


@dataclass(frozen=True)
class Bounds:
    """Of one stream of requests, in their order.

    Attributes:
        ttft: float64 [requests]. Seconds that the first token of each takes at least.
        e2e: float64. Seconds that the last one takes at least.
        instance_seconds: That the cluster needs at least.
    """

    ttft: Floats
    e2e: Floats
    instance_seconds: float


def bounds(deployment: Deployment, requests: Sequence[Request], prefix_cache: bool) -> Bounds:
    """Lower bounds for requests in order of arrival; at least one."""
    alone = Alone(deployment)
    reuse = Reuse(requests, deployment.block_size) if prefix_cache else None
    ttft, decoding, held = [], [], 0.0
    for place, request in enumerate(requests):
        cached, shared, wait = reuse.of_prompt(place) if reuse else (0, 0, NEVER)
        prompt = request.prompt_tokens
        ttft.append(min(alone.prefill(prompt, cached), wait))
        decoding.append(alone.decode(prompt, request.output_tokens - 1))
        held += alone.held(prompt, request.output_tokens - 1, shared)
    arrival = np.array([request.arrival for request in requests])
    first, last = np.array(ttft), np.array(ttft) + np.array(decoding)
    capacity = deployment.kv_blocks * deployment.block_size
    return Bounds(first, last, max(float((arrival + last).max()), held / capacity))


class Alone:
    """How long a deployment takes at least for what a single request needs."""

    def __init__(self, deployment: Deployment) -> None:
        self._cost = deployment.cost
        self._most = deployment.max_batch_tokens
        chunks = [self._seconds(Batch(tokens, 1)) for tokens in range(1, self._most + 1)]
        self._per_token = min(seconds / tokens for tokens, seconds in enumerate(chunks, 1))
        self._shortest = chunks[0]
        self._pair = self._seconds(Batch(1, 1, 0, 1)) - self._seconds(Batch(1, 1))
        self._decode = self._seconds(Batch(1, 1, 1, decodes=1))
        self._context = self._seconds(Batch(1, 1, 1, decodes=1, context=1)) - self._decode

    def prefill(self, prompt: int, cached: int) -> float:
        """Seconds for the tokens of a prompt behind those that are cached, which are not all."""
        tokens, pairs = prompt - cached, prompt**2 - cached**2
        several = max(2 * self._shortest, tokens * self._per_token + self._pair * pairs)
        if tokens > self._most:
            return several
        return min(several, self._seconds(Batch(tokens, 1, 1, pairs)))

    def decode(self, prompt: int, tokens: int) -> float:
        """Seconds for so many tokens after the first."""
        contexts = tokens * prompt + tokens * (tokens + 1) / 2
        return tokens * self._decode + contexts * self._context

    def held(self, prompt: int, tokens: int, shared: int) -> float:
        """Token-seconds of KV that these tokens hold at least, without the first `shared` tokens of the prompt."""
        contexts = np.arange(prompt + 1.0, prompt + tokens + 1.0)
        return float(((contexts - shared) * (self._decode + contexts * self._context)).sum())

    def _seconds(self, batch: Batch) -> float:
        return self._cost.overhead(batch) + self._cost.layers(batch)
