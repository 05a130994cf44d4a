"""How long an iteration takes: one formula over the whole batch, whose coefficients are measured tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from evaluators.serving.cost.batch import Batch


class IterationCost(Protocol):
    """The duration of an iteration, in seconds, of a model on the GPUs of one instance."""

    def overhead(self, batch: Batch) -> float:
        """What the iteration costs beside the layers: host work (a step, a scheduled sequence) and sampling."""

    def layers(self, batch: Batch) -> float:
        """All layers of the model over the batch; affine in `context` with the slope `context_slope`."""

    def context_slope(self, decodes: int) -> float:
        """Seconds that one more token of `context` costs when `decodes` sequences decode."""
