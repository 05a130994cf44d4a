"""The batches that orders are scored on, by regime and split.

A regime is a benchmark's setting and a size of batch; its seeds are its instances. Train and validation use fixed
seeds; test draws its seeds from the salt, and adds regimes whose size, skew or mix train never shows.
`python benchmarks/transactions_headroom.py` prints what an order can gain in each of them; settings with little to gain
are left out (SmallBank's usual ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload

INSTANCES = Instances(train=2)  # of each regime


@dataclass(frozen=True)
class Regime:
    """`count` transactions of a benchmark with these settings."""

    benchmark: str
    count: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self, seed: int) -> dict[str, Any]:
        """What a workload needs to be generated."""
        return {"benchmark": self.benchmark, "count": self.count, "settings": dict(self.settings), "seed": seed}


# Cheapest first.
FAMILIAR: dict[str, Regime] = {
    "tpcc-1w-100": Regime("tpcc", 100, {"warehouses": 1}),
    "social-100": Regime("social", 100, {"write_share": 0.4, "theta": 1.0}),
    "ycsb-reads-100": Regime("ycsb", 100, {"read_share": 0.8, "theta": 0.99}),
    "ycsb-updates-100": Regime("ycsb", 100, {"read_share": 0.5, "theta": 0.9}),
    "tpcc-5w-250": Regime("tpcc", 250, {"warehouses": 5}),
    "ycsb-short-250": Regime("ycsb", 250, {"shortest": 4, "longest": 10}),
    "social-250": Regime("social", 250, {"theta": 1.0}),
}
SHIFTED: dict[str, Regime] = {
    "smallbank-hot-250": Regime("smallbank", 250, {"hot": 20}),
    "ycsb-writes-100": Regime("ycsb", 100, {"read_share": 0.1, "theta": 0.7}),
    "ycsb-steep-100": Regime("ycsb", 100, {"read_share": 0.95, "theta": 1.3}),
    "social-writes-250": Regime("social", 250, {"write_share": 0.6, "theta": 0.8, "objects": 500}),
    "tpcc-orders-250": Regime("tpcc", 250, {"warehouses": 2, "new_order_share": 0.75}),
    "tpcc-10w-500": Regime("tpcc", 500, {"warehouses": 10}),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """The workloads of a split, cheapest regimes first; the salt matters to test alone."""
    return list_generated("transactions", split, salt, FAMILIAR, SHIFTED, Regime.parameters, INSTANCES)
