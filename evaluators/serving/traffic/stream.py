"""Traffic: arrivals and lengths put together into requests, as an iterator of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

import numpy as np

from evaluators.serving.request import Request
from evaluators.serving.traffic.arrivals import POISSON, Gaps, arrivals
from evaluators.serving.traffic.lengths import Lengths, endless
from evaluators.serving.traffic.modulation import STEADY, Modulation


@dataclass(frozen=True)
class Traffic:
    """Independent requests of one kind."""

    name: str
    prompts: Lengths
    answers: Lengths
    gaps: Gaps = POISSON
    modulation: Modulation = STEADY

    def requests(
        self, rate: float, seed: int, count: int | None = None, seconds: float | None = None
    ) -> Iterator[Request]:
        """Requests at `rate` a second in the long run: `count` of them, those of the first `seconds`, or without end.

        Lengths depend on the seed and the place alone, so that a load can be changed without changing the work.
        """
        clock, prompts, answers = np.random.default_rng(seed).spawn(3)
        times = arrivals(rate, clock, self.gaps, self.modulation)
        lengths = zip(endless(self.prompts, prompts), endless(self.answers, answers), strict=False)
        endlessly = (
            Request(id, arrival, prompt, answer)
            for id, (arrival, (prompt, answer)) in enumerate(zip(times, lengths, strict=False))
        )
        return limited(endlessly, count, seconds)


def limited(requests: Iterator[Request], count: int | None = None, seconds: float | None = None) -> Iterator[Request]:
    """The first `count` requests, and of those the ones before `seconds`; None for no limit."""
    if count is not None:
        requests = islice(requests, count)
    return requests if seconds is None else takewhile(lambda request: request.arrival < seconds, requests)
