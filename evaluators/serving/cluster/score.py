"""The score of a run: how much of the gap between round-robin and the bounds is closed."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from evaluators.serving.cluster.bound import Bounds
from evaluators.serving.cluster.outcome import Floats, Outcome

TAIL = 0.05  # share of the requests whose times count: the slowest
PRIORITY_WEIGHT = 4.0  # what a second of a high-priority request counts
SMALLEST_RATIO = (2.0, 1.25, 2.0)  # of round-robin's to the least: a narrower gap counts as wide as this


@dataclass(frozen=True)
class Losses:
    """What is to be small: seconds of the slowest requests to the first and to the last token, and instance-seconds."""

    ttft_tail: float
    e2e_tail: float
    instance_seconds: float

    @classmethod
    def of(cls, outcome: Outcome, weights: Floats) -> Losses:
        """Of a run; `weights` are those of the requests by id."""
        weight = weights[outcome.ids]
        return cls(tail(outcome.ttft * weight), tail(outcome.e2e * weight), outcome.instance_seconds)

    @classmethod
    def least(cls, bounds: Bounds, weights: Floats) -> Losses:
        """What no run goes below: the tail of numbers that are no larger, each, is no larger."""
        return cls(tail(bounds.ttft * weights), tail(bounds.e2e * weights), bounds.instance_seconds)


def tail(seconds: Floats) -> float:
    """The mean of the largest 5 %, at least one."""
    count = max(1, round(TAIL * len(seconds)))
    return float(np.partition(seconds, -count)[-count:].mean())


@dataclass(frozen=True)
class Scale:
    """From round-robin on the instances that serve at the start (0) to the bounds (1; less where a gap is narrow)."""

    reference: Losses
    least: Losses

    def gap_closed(self, losses: Losses) -> float:
        """The mean over the three losses, each on a logarithmic scale; negative where round-robin is better.

        Logarithmic, so that a halving counts the same wherever it begins: round-robin's slowest first tokens take a
        second in one stream and a thousand in another.
        """
        ends = zip(_numbers(self.reference), _numbers(losses), _numbers(self.least), SMALLEST_RATIO, strict=True)
        closed = [log(start / value) / log(max(start / bound, narrow)) for start, value, bound, narrow in ends]
        return sum(closed) / len(closed)


def _numbers(losses: Losses) -> tuple[float, float, float]:
    return losses.ttft_tail, losses.e2e_tail, losses.instance_seconds
