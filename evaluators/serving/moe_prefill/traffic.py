"""The expert weights that a run reads: again and again for the chunks of a prompt, once where layers pass it whole."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.serving.cost.experts import expert_bytes_read
from evaluators.serving.cost.models import Model
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.timing import Part


class ExpertRecorder(Recorder):
    """Also counts what is read of the experts, if all experts are as likely and tokens independent.

    Attributes:
        expert_bytes: Weights read, over all layers and GPUs.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.expert_bytes = 0.0
        self._model = model
        self._reads: dict[int, float] = {}  # bytes by tokens

    def passed(self, iterations: int, parts: Sequence[Part]) -> None:
        """See `Recorder`."""
        for share, batch in parts:
            if batch.tokens not in self._reads:
                self._reads[batch.tokens] = expert_bytes_read(self._model, batch.tokens)
            self.expert_bytes += iterations * share * self._reads[batch.tokens]
