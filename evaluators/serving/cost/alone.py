"""What one sequence takes on an instance that does nothing else: a lower bound on any schedule.

It is one as long as an iteration gets no cheaper by what is added to it.
"""

from __future__ import annotations

from functools import cached_property

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment


class Alone:
    """Seconds on one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._cost = deployment.cost
        self._most = deployment.max_batch_tokens

    def iteration(self, batch: Batch) -> float:
        """What an iteration takes."""
        return self._cost.overhead(batch) + self._cost.layers(batch)

    def chunk(self, tokens: int) -> float:
        """An iteration with so many tokens of a prompt, their attention aside."""
        return self.iteration(Batch(tokens=tokens, sequences=1))

    @cached_property
    def per_token(self) -> float:
        """The least that a token of a prompt costs, attention aside, in a chunk of any size."""
        return min(self.chunk(size) / size for size in range(1, self._most + 1))

    def decode(self, context: int, tokens: int) -> float:
        """Making `tokens` tokens, one an iteration, the first behind `context` tokens."""
        if not tokens:
            return 0.0
        first, last = (
            self.iteration(Batch(1, 1, 1, decodes=1, context=at + 1)) for at in (context, context + tokens - 1)
        )
        return tokens * (first + last) / 2
