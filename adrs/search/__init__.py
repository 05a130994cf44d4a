"""Who to mutate next: strategies over the committed prefix of a run."""

from __future__ import annotations

from adrs.problem import Search
from adrs.search.base import Selection, Strategy
from adrs.search.best_of_n import BestOfN
from adrs.search.islands import Islands
from adrs.search.topk import TopK

__all__ = ["Selection", "Strategy", "build_strategy"]


def build_strategy(search: Search) -> Strategy:
    match search.strategy:
        case "islands":
            return Islands(search.islands, search.features)
        case "topk":
            return TopK()
        case "best_of_n":
            return BestOfN()
