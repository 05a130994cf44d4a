"""What no scheduler beats: of a stream of requests, how many can be served within their SLOs.

A request that is served well has its first token by its arrival plus the SLO, and its k-th no later than k - 1 SLOs of
the time between tokens after that. So in a span of time that begins before it arrives and ends after its first token is
due, the engine does at least the work of its prefill and of the tokens due by the end, in iterations inside of the
span. Each piece of work costs no less than its share of the cheapest iteration there is (`Prices`). Of the requests of
a span at most so many are served well as fit into it, the cheapest first; spans that follow each other bound together,
and the best of a bisection of the stream is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.request import Request

Floats = npt.NDArray[np.float64]

SMALLEST_SPAN = 4  # requests
_PROBE = 1 << 20  # tokens or pairs, to read a slope off


@dataclass(frozen=True)
class Prices:
    """Least seconds of an iteration for a piece of work, whatever else is in the batch.

    Args:
        token: For a token that passes the linear layers.
        pair: For one of `Batch.pairs`.
        context: For one of `Batch.context`.
        answer: For a token that is made.
    """

    token: float
    pair: float
    context: float
    answer: float

    @classmethod
    def of(cls, on: Deployment) -> Prices:
        """From the costs of all batch sizes; attention is affine in its sums."""
        layers, overhead = on.cost.layers, on.cost.overhead
        sizes = range(1, on.max_sequences + 1)
        decodes = [layers(_decodes(size)) / size for size in sizes]
        chunks = [layers(Batch(size, 1)) / size for size in range(1, on.max_batch_tokens + 1)]
        contexts = [
            layers(_decodes(size, chunk, _PROBE)) - layers(_decodes(size, chunk)) for size in sizes for chunk in (0, 1)
        ]
        return cls(
            token=min(*decodes, *chunks),
            pair=(layers(Batch(1, 1, 0, _PROBE)) - layers(Batch(1, 1))) / _PROBE,
            context=min(contexts) / _PROBE,
            answer=min(overhead(_decodes(size)) / size for size in sizes),
        )


def _decodes(size: int, chunk: int = 0, context: int = 0) -> Batch:
    """So many decoding sequences, alone or with a chunk of a token."""
    return Batch(size + chunk, size + chunk, size, 0, 0, size, context)


class Bound:
    """Of one stream in order of arrival.

    Args:
        cached: Whether there is a prefix cache: then what an earlier request may have left there costs nothing.
    """

    def __init__(self, requests: Sequence[Request], prices: Prices, cached: bool) -> None:
        self._prices = prices
        self._arrived = np.array([request.arrival for request in requests])
        self._due = self._arrived + np.array([request.ttft_slo for request in requests])
        self._gap = np.array([request.tbt_slo for request in requests])
        self._prompt = np.array([float(request.prompt_tokens) for request in requests])
        self._more = np.array([request.output_tokens - 1.0 for request in requests])
        self._new = self._prompt - (_cacheable(requests) if cached else 0.0)

    @cached_property
    def attainment(self) -> float:
        """The largest share of the requests that can be served within their SLOs."""
        count = len(self._arrived)
        return self._most(0, count) / count

    def _most(self, first: int, last: int) -> int:
        """How many of the requests from `first` up to `last` can be served well."""
        together = self._in_span(first, last)
        if last - first < 2 * SMALLEST_SPAN:
            return together
        middle = (first + last) // 2
        return min(together, self._most(first, middle) + self._most(middle, last))

    def _in_span(self, first: int, last: int) -> int:
        """The same by the span from the first arrival to the last first token that is due."""
        part = slice(first, last)
        end = self._due[part].max()
        work = np.sort(self._work(part, end)).cumsum()
        return int(np.searchsorted(work, (end - self._arrived[first]) * (1.0 + 1e-9), side="right"))

    def _work(self, part: slice, end: float) -> Floats:
        """Seconds of work on each request by `end`, if it is served well."""
        prices, prompt, new = self._prices, self._prompt[part], self._new[part]
        before = prompt - new
        prefill = new * (prices.token + prices.pair * (new + 2 * before)) + prices.answer
        tokens = np.minimum(np.floor((end - self._due[part]) / self._gap[part] + 1e-9), self._more[part])
        context = tokens * (prompt + (tokens + 1) / 2)
        work: Floats = prefill + tokens * (prices.token + prices.answer) + prices.context * context
        return work


def _cacheable(requests: Sequence[Request]) -> Floats:
    """Tokens of each prompt that earlier requests of the stream may have left in a prefix cache."""
    seen: dict[int, int] = {}
    tokens = np.zeros(len(requests))
    for place, request in enumerate(requests):
        for index, (key, length) in enumerate(request.prefix):
            tokens[place] += min(length, seen.get(key, 0))
            grown = length + (request.output_tokens if index + 1 == len(request.prefix) else 0)
            seen[key] = max(seen.get(key, 0), grown)
    return np.minimum(tokens, [request.prompt_tokens - 1 for request in requests])
