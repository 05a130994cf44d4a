"""Populations of clients, few of which send most of the requests, each with its own rhythm and lengths.

The model is that of Xiang et al., "ServeGen: Workload Characterization and Generation of Large Language Model Serving
in Production", 2025: traffic is the sum of its clients, and a client has a rate, Gamma or Weibull gaps of some
coefficient of variation, and lengths that stay. The figures are those of the published client tables
(github.com/alibaba/ServeGen, commit f891d11). Rates are constant here: the daily swing of the tables is not part of the
model.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from evaluators.serving.request import Request
from evaluators.serving.traffic.arrivals import Gamma, Weibull
from evaluators.serving.traffic.lengths import Floats, Lognormal
from evaluators.serving.traffic.stream import Traffic, limited

CVS = (0.5, 20.0)  # of a client's gaps, at least and at most


@dataclass(frozen=True)
class Spread:
    """Token counts that are log-normal among clients and within each.

    Args:
        median: Of all requests.
        between: Standard deviation of the logarithm of the clients' medians.
        within: The same of one client's requests.
        longest: Tokens to which longer ones are cut.
    """

    median: float
    between: float
    within: float
    longest: int

    def of_clients(self, count: int, rng: np.random.Generator) -> list[Lognormal]:
        """The distributions of the clients."""
        medians = self.median * np.exp(self.between * rng.standard_normal(count))
        return [Lognormal(max(median, 1.0), self.within, high=self.longest) for median in medians.tolist()]


@dataclass(frozen=True)
class Population:
    """The clients of one model.

    Args:
        leaders: (clients, share of the requests that so many of the busiest send), increasing; ends with (all, 1).
        cv: Median over clients of the coefficient of variation of their gaps.
        cv_sigma: Standard deviation over clients of its logarithm.
        weibull: Share of the clients whose gaps are Weibull instead of Gamma.
    """

    name: str
    leaders: tuple[tuple[int, float], ...]
    cv: float
    cv_sigma: float
    weibull: float
    prompts: Spread
    answers: Spread

    def requests(
        self, rate: float, seed: int, count: int | None = None, seconds: float | None = None
    ) -> Iterator[Request]:
        """Requests at `rate` a second in the long run: `count` of them, those of the first `seconds`, or without end.

        `tenant` is the client, 0 the busiest. The seed draws the clients, then what they do.
        """
        population, behaviour = np.random.default_rng(seed).spawn(2)
        seeds = behaviour.integers(1 << 62, size=self.leaders[-1][0]).tolist()
        streams = [
            _of_tenant(client.requests(rate * share, own), tenant)
            for tenant, (client, share, own) in enumerate(
                zip(self._clients(population), self.shares().tolist(), seeds, strict=True)
            )
        ]
        merged = heapq.merge(*streams, key=lambda request: request.arrival)
        numbered = (replace(request, id=id) for id, request in enumerate(merged))
        return limited(numbered, count, seconds)

    def shares(self) -> Floats:
        """Share of the requests that each client sends, the busiest first: float64 [clients]."""
        ranks, cumulated = (np.array(column, dtype=np.float64) for column in zip((0, 0.0), *self.leaders, strict=True))
        everyone = np.arange(ranks[-1] + 1.0)
        return np.sort(np.diff(np.interp(np.log1p(everyone), np.log1p(ranks), cumulated)))[::-1]

    def _clients(self, rng: np.random.Generator) -> list[Traffic]:
        count = self.leaders[-1][0]
        cvs = np.clip(self.cv * np.exp(self.cv_sigma * rng.standard_normal(count)), *CVS).tolist()
        weibull = (rng.random(count) < self.weibull).tolist()
        gaps = [Weibull.of_cv(cv) if heavy else Gamma(cv) for cv, heavy in zip(cvs, weibull, strict=True)]
        prompts, answers = self.prompts.of_clients(count, rng), self.answers.of_clients(count, rng)
        return [Traffic(self.name, *parts) for parts in zip(prompts, answers, gaps, strict=True)]


def _of_tenant(requests: Iterator[Request], tenant: int) -> Iterator[Request]:
    return (replace(request, tenant=tenant) for request in requests)


# Shares and variation: the first 7 of 14 days. Lengths: the median and 90 % quantile of all requests, the deviation
# divided between and within clients as it is in the tables.
LARGE = Population(
    "servegen-m-large",
    ((1, 0.169), (2, 0.254), (3, 0.336), (5, 0.472), (10, 0.696), (20, 0.822), (40, 0.937), (67, 0.984), (135, 1.0)),
    cv=1.97, cv_sigma=0.89, weibull=0.22,
    prompts=Spread(654, 0.75, 0.67, 32_768), answers=Spread(67, 1.33, 0.70, 8192),
)  # fmt: skip
MID = Population(
    "servegen-m-mid",
    ((1, 0.464), (2, 0.526), (3, 0.580), (5, 0.640), (10, 0.766), (20, 0.883), (40, 0.967), (51, 0.987), (102, 1.0)),
    cv=1.83, cv_sigma=1.30, weibull=0.26,
    prompts=Spread(172, 0.80, 0.34, 32_768), answers=Spread(36, 0.56, 0.48, 8192),
)  # fmt: skip
SMALL = Population(
    "servegen-m-small",
    ((1, 0.330), (2, 0.507), (3, 0.598), (5, 0.739), (10, 0.922), (17, 0.986), (35, 1.0)),
    cv=1.96, cv_sigma=1.10, weibull=0.30,
    prompts=Spread(39, 1.65, 0.31, 16_384), answers=Spread(3, 2.06, 1.03, 4096),
)  # fmt: skip
REASONING = Population(
    "servegen-r1",
    ((1, 0.286), (2, 0.364), (3, 0.431), (5, 0.525), (10, 0.677), (20, 0.855), (36, 0.962), (73, 1.0)),
    cv=1.91, cv_sigma=0.81, weibull=0.17,
    prompts=Spread(266, 1.60, 1.14, 65_536), answers=Spread(807, 0.91, 0.90, 32_768),
)  # fmt: skip
