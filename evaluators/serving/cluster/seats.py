"""The scheduler of an instance that others may send requests to."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.vllm import VllmV1


class KeepingSeats(VllmV1):
    """vLLM V1's scheduler, which admits nobody to a seat that is kept.

    Attributes:
        kept: Of the seats (the sequences that may run at once), those for requests that are on their way here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept = 0

    def order(self, instance: Instance) -> Iterable[Sequence]:
        """See `VllmV1`."""
        seats = instance.deployment.max_sequences - len(instance.running) - self.kept
        return islice(super().order(instance), max(0, seats))
