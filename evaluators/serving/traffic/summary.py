"""What a stream of requests looks like in figures, to compare generated traffic with recorded one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evaluators.serving.request import Request
from evaluators.serving.traffic.lengths import Floats

BLOCK = 512  # tokens: the unit of prefix sharing
WINDOWS = (1.0, 10.0, 60.0)  # seconds


@dataclass(frozen=True)
class Spread:
    """Mean and quantiles of token counts."""

    mean: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Summary:
    """Figures of a stream.

    Args:
        rate: Requests a second.
        gap_cv: Coefficient of variation of the gaps between arrivals.
        dispersion: Variance over mean of the number of arrivals in the complete windows of 1, 10 and 60 seconds: 1 for
            a Poisson process.
        peak: The fullest second's arrivals over the mean.
        reuse: Share of the prompts' blocks of 512 tokens that an earlier prompt began with as well: the hits of a cache
            that forgets nothing, in which answers are not kept.
    """

    count: int
    rate: float
    gap_cv: float
    dispersion: tuple[float, float, float]
    peak: float
    prompts: Spread
    answers: Spread
    reuse: float


def summarise(requests: Iterable[Request]) -> Summary:
    """Figures of at least two requests, in the order of arrival and over more than a minute."""
    seen = _Prefixes()
    columns = [
        (request.arrival, request.prompt_tokens, request.output_tokens, *seen.blocks(request)) for request in requests
    ]
    arrived, prompts, answers, hits, blocks = (np.array(column, np.float64) for column in zip(*columns, strict=True))
    arrived = arrived - arrived[0]
    gaps = np.diff(arrived)
    rate = len(gaps) / float(arrived[-1])
    one, ten, sixty = (_dispersion(arrived, window) for window in WINDOWS)
    peak = float(np.bincount(arrived.astype(int)).max()) / rate
    return Summary(
        len(arrived), rate, float(gaps.std() / gaps.mean()), (one, ten, sixty), peak,
        _spread(prompts), _spread(answers), float(hits.sum() / blocks.sum()),
    )  # fmt: skip


def _dispersion(arrived: Floats, window: float) -> float:
    counts = np.bincount((arrived // window).astype(int))[:-1]
    return float(counts.var() / counts.mean())


def _spread(tokens: Floats) -> Spread:
    return Spread(float(tokens.mean()), *np.quantile(tokens, [0.5, 0.9, 0.99]).tolist())


class _Prefixes:
    """The longest prompt so far of each stream."""

    def __init__(self) -> None:
        self._tokens: dict[int, int] = {}

    def blocks(self, request: Request) -> tuple[int, int]:
        """Blocks of the prompt that were seen before, and all of them."""
        shared, whole = 0, True
        for key, tokens in request.prefix:
            known = self._tokens.get(key, 0)
            shared += min(known, tokens) if whole else 0
            whole = whole and known >= tokens
            self._tokens[key] = max(known, tokens)
        return shared // BLOCK, -(-request.prompt_tokens // BLOCK)
