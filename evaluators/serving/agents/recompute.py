"""How long a prompt takes at least, in chunks of whichever size is cheapest."""

from __future__ import annotations

from evaluators.serving.cost.alone import Alone
from evaluators.serving.cost.batch import Batch


class Recompute(Alone):
    """Prompts of sessions, each alone on the instance."""

    def prefill(self, tokens: int, cached: int = 0) -> float:
        """Computing `tokens` tokens behind `cached` ones."""
        whole = Batch(tokens=tokens, sequences=1, pairs=tokens * (tokens + 2 * cached))
        attention = self.iteration(whole) - self.chunk(tokens)
        sampling = self.iteration(Batch(1, 1, 1)) - self.chunk(1)
        return max(tokens * self.per_token, self.chunk(1)) + attention + sampling
