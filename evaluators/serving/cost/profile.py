"""How long an iteration takes: one formula over the whole batch, whose coefficients are measured tables.

An iteration costs `overhead + layers`:

- overhead: host work (a step, and each scheduled sequence) and the output head over the sequences that make a token;
- layers: linear layers over *all* tokens of the batch, so that prefills and decodes share one reading of the weights;
  of a mixture of experts a second table over the same tokens, because the experts that are activated, and so read,
  saturate; and attention, an affine function of the batch's sums (see `Attention`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from evaluators.serving.cost.batch import Batch


class IterationCost(Protocol):
    """The duration of an iteration, in seconds, of a model on the GPUs of one instance."""

    def overhead(self, batch: Batch) -> float:
        """What the iteration costs beside the layers: host work (a step, a scheduled sequence) and sampling."""

    def layers(self, batch: Batch) -> float:
        """All layers of the model over the batch; affine in `context` with the slope `context_slope`."""

    def context_slope(self, decodes: int) -> float:
        """Seconds that one more token of `context` costs when `decodes` sequences decode and nothing else runs."""


@dataclass(frozen=True)
class Grid:
    """A duration measured at some sizes: piecewise linear between them, flat below the first, straight on above the
    last.

    Args:
        sizes: Ascending, above 0; at least one.
        seconds: One a size. Where a measurement dips below that of a smaller size, the larger one is kept: more work
            is never cheaper.
    """

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    def __call__(self, size: int) -> float:
        """Seconds at this size; 0 at size 0."""
        if size <= self.sizes[0]:
            return self.rising[0] if size else 0.0
        i = min(bisect_right(self.sizes, size), len(self.sizes) - 1)
        return self.rising[i] + (size - self.sizes[i]) * self.slopes[i]

    @cached_property
    def rising(self) -> tuple[float, ...]:
        """`seconds`, each at least those before it."""
        highest = 0.0
        return tuple(highest := max(highest, seconds) for seconds in self.seconds)

    @cached_property
    def slopes(self) -> tuple[float, ...]:
        """Of the segment that ends at each size; the last is used beyond the grid too."""
        ends = zip(self.sizes, self.sizes[1:], self.rising, self.rising[1:], strict=False)
        return (0.0, *((late - early) / (size - before) for before, size, early, late in ends))

    def table(self, until: int) -> list[float]:
        """Seconds at the sizes 0 to `until`, for looking up without a search."""
        return [self(size) for size in range(until + 1)]


NOTHING = Grid((1,), (0.0,))


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention of all layers, in seconds; each field multiplies a sum of `Batch`.

    Causal attention of a prompt costs the same in one piece as in chunks, since `pairs` telescopes; only what the
    chunks read again differs.

    Args:
        launch: Once an iteration.
        pair: Of `pairs`.
        reread: Of `reread`.
        sequence: Of `decodes`.
        context: Of `context`, when the batch only decodes.
        mixed: Factor on `context` in a batch with chunks, whose kernel is not the one tuned for decoding.
    """

    launch: float
    pair: float
    reread: float
    sequence: float
    context: float
    mixed: float = 1.0


@dataclass(frozen=True)
class Profile:
    """An `IterationCost` from measurements; all durations in seconds and of the whole model.

    Args:
        step: Host work of an iteration.
        sequence: Host work of each scheduled sequence.
        head: Output head and sampling, over the sequences that make a token.
        linear: Linear layers, norms and, with several GPUs, their communication, over the tokens of the batch.
        experts: Experts of a mixture, over the same tokens.
    """

    step: float
    sequence: float
    head: Grid
    linear: Grid
    attention: Attention
    experts: Grid = NOTHING
    _by_tokens: list[float] = field(init=False, repr=False, compare=False)
    _by_sampled: list[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        both = zip(self.linear.table(_TABLE_TOKENS), self.experts.table(_TABLE_TOKENS), strict=True)
        object.__setattr__(self, "_by_tokens", [linear + experts for linear, experts in both])
        object.__setattr__(self, "_by_sampled", self.head.table(_TABLE_SAMPLED))

    def overhead(self, batch: Batch) -> float:
        sampled = batch.sampled
        head = self._by_sampled[sampled] if sampled <= _TABLE_SAMPLED else self.head(sampled)
        return self.step + self.sequence * batch.sequences + head

    def layers(self, batch: Batch) -> float:
        tokens = batch.tokens
        if tokens == 0:
            return 0.0
        attention = self.attention
        if tokens <= _TABLE_TOKENS:
            seconds = self._by_tokens[tokens] + attention.launch
        else:
            seconds = self.linear(tokens) + self.experts(tokens) + attention.launch
        context = attention.context * batch.context
        if batch.sequences > batch.decodes:
            seconds += attention.pair * batch.pairs + attention.reread * batch.reread
            context *= attention.mixed
        return seconds + attention.sequence * batch.decodes + context

    def context_slope(self, decodes: int) -> float:
        return self.attention.context


_TABLE_TOKENS = 4096  # larger batches are rare enough to search
_TABLE_SAMPLED = 512
