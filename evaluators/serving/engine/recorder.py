"""What is kept of a run: a row for each finished request, and sums over the iterations."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Sequence as Many

import numpy as np
import numpy.typing as npt

from evaluators.serving.engine.gaps import Gaps
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.timing import Part

INTEGERS = (
    "id",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
    "recomputed_tokens",
    "preemptions",
    "tenant",
    "priority",
)
SECONDS = ("arrival", "admitted_at", "first_token_at", "finished_at", "largest_gap", "ttft_slo", "tbt_slo")


class Recorder:
    """Of one instance, or of several that share it.

    Attributes:
        gaps: Seconds between the tokens of a request, over all tokens.
        busy: Seconds in which an instance computed, summed over the instances.
        iterations: How many.
        joules: Of these seconds; idle power is not among them.
        computed_tokens: Tokens that passed all layers.
        block_seconds: The KV blocks in use by running requests, integrated over the busy seconds.
        finished: Requests.
    """

    def __init__(self) -> None:
        self.gaps = Gaps()
        self.busy = self.joules = self.block_seconds = 0.0
        self.iterations = self.computed_tokens = self.finished = 0
        self._integers = {name: array("q") for name in INTEGERS}
        self._seconds = {name: array("d") for name in SECONDS}

    def ran(self, iterations: int, tokens: int, seconds: float, joules: float, blocks: float) -> None:
        """Iterations that computed so many tokens took so long, with so many blocks in use on average."""
        self.busy += seconds
        self.joules += joules
        self.iterations += iterations
        self.computed_tokens += tokens
        self.block_seconds += seconds * blocks

    def passed(self, iterations: int, parts: Many[Part]) -> None:
        """What passed which share of the layers in these iterations; nothing is kept of it here."""

    def finish(self, sequence: Sequence, now: float) -> None:
        """A request has made its last token."""
        request = sequence.request
        self.finished += 1
        for column, value in zip(
            self._integers.values(),
            (
                request.id, request.prompt_tokens, request.output_tokens, sequence.cached, sequence.recomputed,
                sequence.preemptions, request.tenant, request.priority,
            ),
            strict=True,
        ):  # fmt: skip
            column.append(value)
        for times, second in zip(
            self._seconds.values(),
            (
                request.arrival, sequence.admitted_at, sequence.first_token_at, now, sequence.largest_gap,
                request.ttft_slo, request.tbt_slo,
            ),
            strict=True,
        ):  # fmt: skip
            times.append(second)

    def columns(self) -> Mapping[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]]:
        """The finished requests in order of their ends: arrays of the names in `INTEGERS` and `SECONDS`."""
        return {name: np.array(column) for name, column in (self._integers | self._seconds).items()}
