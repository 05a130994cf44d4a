"""The iterations of an engine that are under way."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt

from evaluators.serving.cost.batch import Batch
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Chunk
from evaluators.serving.engine.timing import Part

_FLAT = 1e-12  # of the duration: a growth per iteration below this is none


@dataclass(slots=True)
class Flight:
    """Iterations of one batch: the first takes `duration` seconds, each later one `growth` more than the one before.

    `landed`: iterations before these have ended, and nobody had to decide whether they go on.
    """

    start: float
    batch: Batch
    parts: list[Part]
    chunks: list[tuple[Sequence, Chunk]]
    duration: float
    growth: float = 0.0
    iterations: int = 1
    landed: bool = False

    def seconds(self, iterations: int) -> float:
        """How long the first so many iterations take."""
        return iterations * (self.duration + self.growth * (iterations - 1) / 2)

    @property
    def end(self) -> float:
        """When the last iteration ends."""
        return self.start + self.seconds(self.iterations)

    def ended_by(self, now: float) -> int:
        """How many of the iterations have ended at `now`."""
        if now >= self.end:
            return self.iterations
        ended = min(max(floor(self._iterations_in(now - self.start)), 0), self.iterations)
        while ended and self.start + self.seconds(ended) > now:  # against rounding
            ended -= 1
        while self.start + self.seconds(ended + 1) <= now:
            ended += 1
        return ended

    def cut(self, now: float) -> None:
        """End with the iteration that runs at `now`."""
        if self.iterations > 1:
            ended = self.ended_by(now)
            runs = not ended or self.start + self.seconds(ended) < now
            self.iterations = min(self.iterations, ended + runs)

    def go_on(self, now: float, ended: int) -> None:
        """So many iterations have ended, the last one now; the others remain."""
        self.start, self.landed = now, True
        self.duration += ended * self.growth
        self.iterations -= ended

    def _iterations_in(self, seconds: float) -> float:
        """The x for which x iterations take so long."""
        if self.growth <= _FLAT * self.duration:
            return seconds / self.duration
        linear = self.duration - self.growth / 2
        return (sqrt(linear * linear + 2 * self.growth * seconds) - linear) / self.growth
