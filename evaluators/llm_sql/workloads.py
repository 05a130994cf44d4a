"""The generated tables that policies are scored on, by regime and split.

A regime is a kind of table with a size, a stored order and a cache; its seeds are its instances. Train and validation
use fixed seeds; test draws its seeds from the salt, and adds regimes whose kind of table, size or cache train never
shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload

INSTANCES = Instances(validation=3)  # of each regime

# A cache of H100 memory holds some 430,000 tokens of Llama-3.1-8B's keys and values (128 KiB each, 56 GB besides the
# weights), about a twelfth of the 15,000 rows of 300 to 400 tokens that the studied tables have. Tables here are
# excerpts, and the cache is in proportion.
CACHE_SHARE = 1 / 12


@dataclass(frozen=True)
class Scenario:
    """A generated table and the cache that its prompts go through.

    Args:
        schema: name in `schemas.SCHEMAS`.
        sorted_by: the column by whose values it is stored; None if in no order.
        cache_share: tokens that the cache holds, as a share of all tokens of the table's fields.
    """

    schema: str
    rows: int
    seed: int
    sorted_by: str | None = None
    cache_share: float = CACHE_SHARE


# Cheapest first.
FAMILIAR: dict[str, Scenario] = {
    "orders": Scenario("orders", 500, 0),
    "beers": Scenario("beers", 600, 0),
    "songs": Scenario("songs", 400, 0),
    "movies": Scenario("movies", 400, 0),
    "products": Scenario("products", 500, 0, sorted_by="asin"),
    "posts": Scenario("posts", 500, 0),
    "passages": Scenario("passages", 400, 0),
}
SHIFTED: dict[str, Scenario] = {
    "tickets": Scenario("tickets", 600, 0, sorted_by="opened"),
    "flights": Scenario("flights", 500, 0),
    "orders-long": Scenario("orders", 2000, 0),
    "movies-small-cache": Scenario("movies", 600, 0, cache_share=1 / 60),
    "beers-large-cache": Scenario("beers", 900, 0, cache_share=2.0),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """The generated tables of a split, cheapest first."""
    return list_generated("llm_sql", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES)


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def scenario_of(parameters: Mapping[str, Any]) -> Scenario:
    """The scenario that a workload's parameters describe."""
    return Scenario(**parameters)
