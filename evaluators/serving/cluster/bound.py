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
from functools import cached_property

import numpy as np

from evaluators.serving.cluster.outcome import Floats
from evaluators.serving.cluster.reuse import Reuse
from evaluators.serving.cost.alone import Alone
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
    alone = Least(deployment)
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


class Least(Alone):
    """How long a deployment takes at least for what a single request needs."""

    def prefill(self, prompt: int, cached: int) -> float:
        """Seconds for the tokens of a prompt behind those that are cached, which are not all."""
        tokens, pairs = prompt - cached, prompt**2 - cached**2
        several = max(2 * self.chunk(1), tokens * self.per_token + self._pair * pairs)
        if tokens > self._most:
            return several
        return min(several, self.iteration(Batch(tokens, 1, 1, pairs)))

    def held(self, prompt: int, tokens: int, shared: int) -> float:
        """Token-seconds of KV that decoding these tokens holds at least, without the first `shared` of the prompt."""
        contexts = np.arange(prompt + 1.0, prompt + tokens + 1.0)
        decode, context = self._decode
        return float(((contexts - shared) * (decode + contexts * context)).sum())

    @cached_property
    def _pair(self) -> float:
        return self.iteration(Batch(1, 1, 0, 1)) - self.chunk(1)

    @cached_property
    def _decode(self) -> tuple[float, float]:
        """A decode iteration without context, and what a token of context adds."""
        empty = self.iteration(Batch(1, 1, 1, decodes=1))
        return empty, self.iteration(Batch(1, 1, 1, decodes=1, context=1)) - empty
