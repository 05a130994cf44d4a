"""Fairness between tenants: how far apart the service of two of them drifts while both have requests in the queue.

Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024, arXiv:2401.00588), section 3: the service of a
client in a span of time is w_p times its input tokens plus w_q times its output tokens processed in it, a client is
backlogged while a request of its own is queued, and a scheduler is fair if the services of any two clients differ by no
more than a constant in every span in which both are backlogged. As in that paper's algorithm, input tokens count when
their request joins the batch; the paper's experiments take w_p = 1 and w_q = 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

INPUT_WEIGHT, OUTPUT_WEIGHT = 1.0, 2.0


@dataclass(frozen=True)
class Served:
    """Requests, each column [requests]; times in seconds.

    A request is queued from `arrival` to `admitted_at`. Its first output token comes at `first_token_at`, the others
    evenly until `finished_at`.
    """

    tenant: Counts
    prompt_tokens: Counts
    output_tokens: Counts
    arrival: Floats
    admitted_at: Floats
    first_token_at: Floats
    finished_at: Floats


def service_gap(served: Served) -> float:
    """The largest difference, in weighted tokens, between what two tenants get in a span in which both are backlogged.

    0 if no two tenants ever are. Each pair is compared at every arrival, admission, first and last token.
    """
    names = np.unique(served.tenant)
    if len(names) < 2:
        return 0.0
    times = np.unique(np.concatenate([served.arrival, served.admitted_at, served.first_token_at, served.finished_at]))
    tenants = [_Tenant.of(served, name, times) for name in names]
    return max((_gap(one, other) for one, other in combinations(tenants, 2)), default=0.0)


@dataclass(frozen=True)
class _Tenant:
    """Of one tenant: [times, 2], the service before and after each time, and [times], backlogged from then on."""

    service: Floats
    backlogged: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, served: Served, tenant: int, times: Floats) -> _Tenant:
        mine = served.tenant == tenant
        arrived, admitted, first, finished = (
            np.searchsorted(times, column[mine])
            for column in (served.arrival, served.admitted_at, served.first_token_at, served.finished_at)
        )
        later = served.output_tokens[mine] - 1
        jumps = np.zeros(len(times))
        np.add.at(jumps, admitted, INPUT_WEIGHT * served.prompt_tokens[mine])
        np.add.at(jumps, first, OUTPUT_WEIGHT)
        spread = finished > first
        np.add.at(jumps, first[~spread], OUTPUT_WEIGHT * later[~spread])
        rate = np.zeros(len(times))
        rates = OUTPUT_WEIGHT * later[spread] / (times[finished] - times[first])[spread]
        np.add.at(rate, first[spread], rates)
        np.add.at(rate, finished[spread], -rates)
        after = np.cumsum(jumps)
        after[1:] += np.cumsum(np.cumsum(rate)[:-1] * np.diff(times))
        queued = np.zeros(len(times), dtype=np.int64)
        np.add.at(queued, arrived, 1)
        np.add.at(queued, admitted, -1)
        return cls(np.stack([after - jumps, after], axis=1), np.cumsum(queued) > 0)


def _gap(one: _Tenant, other: _Tenant) -> float:
    difference = (one.service - other.service).ravel()
    gap = 0.0
    for start, end in _runs(one.backlogged & other.backlogged):
        inside = difference[2 * start : 2 * end + 1]  # to just before the end
        gap = max(gap, float(inside.max() - inside.min()))
    return gap


def _runs(true: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The half-open ranges of places that are true."""
    edges = np.flatnonzero(np.diff(true.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
