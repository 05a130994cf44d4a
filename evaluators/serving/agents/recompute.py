"""How long a prompt takes at least: the cost of its chunks on an instance that does nothing else."""

from __future__ import annotations

from functools import cached_property

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment


class Recompute:
    """Prefill and decoding of one sequence alone, from the costs of iterations.

    They are lower bounds on any schedule as long as an iteration gets no cheaper by what is added to it.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment, self._cost = deployment, deployment.cost

    def seconds(self, tokens: int, cached: int = 0) -> float:
        """Computing `tokens` tokens behind `cached` ones, in chunks of whichever size is cheapest a token."""
        whole = Batch(tokens=tokens, sequences=1, pairs=tokens * (tokens + 2 * cached))
        plain = Batch(tokens=tokens, sequences=1)
        attention = self._cost.layers(whole) - self._cost.layers(plain)
        sampling = self._cost.overhead(Batch(1, 1, 1)) - self._cost.overhead(Batch(1, 1))
        return max(tokens * self._per_token, self._chunk(1)) + attention + sampling

    def decode_seconds(self, context: int, tokens: int) -> float:
        """Making `tokens` tokens, one an iteration, the first behind `context` tokens."""
        if not tokens:
            return 0.0
        first, last = (
            self._cost.overhead(batch) + self._cost.layers(batch)
            for batch in (Batch(1, 1, 1, decodes=1, context=at + 1) for at in (context, context + tokens - 1))
        )
        return tokens * (first + last) / 2

    @cached_property
    def _per_token(self) -> float:
        sizes = range(1, self._deployment.max_batch_tokens + 1)
        return min(self._chunk(size) / size for size in sizes)

    def _chunk(self, tokens: int) -> float:
        batch = Batch(tokens=tokens, sequences=1)
        return self._cost.overhead(batch) + self._cost.layers(batch)
