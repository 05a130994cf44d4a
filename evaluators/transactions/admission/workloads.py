"""The streams of transactions that policies are scored on, by regime and split.

A regime is a benchmark with its skew, a number of executors and a way of arriving; its seeds are its instances. Train
and validation use fixed seeds; test draws its seeds from the salt, and adds regimes that train never shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.transactions.admission.arrivals import Process, Traffic
from evaluators.transactions.generators import generate
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.transaction import Transaction

INSTANCES = Instances(train=2)  # of each regime


@dataclass(frozen=True)
class Scenario:
    """Generated transactions, and the traffic in which they arrive (see `Traffic`)."""

    benchmark: str
    executors: int
    load: float
    arrivals: Process
    settings: Mapping[str, Any] = field(default_factory=dict)
    transactions: int = 240
    seed: int = 0


# Settings that leave room between arrival order and the best known; where nothing is contended there is none.
FAMILIAR: dict[str, Scenario] = {
    "smallbank-10hot-16-bursty": Scenario("smallbank", 16, 0.8, "bursty", {"hot": 10}),
    "tpcc-4w-16-bursty": Scenario("tpcc", 16, 0.6, "bursty", {"warehouses": 4}),
    "tpcc-2w-8-poisson": Scenario("tpcc", 8, 0.6, "poisson", {"warehouses": 2}),
    "ycsb-update-8-poisson": Scenario("ycsb", 8, 0.6, "poisson", {"records": 1000, "theta": 0.6}),
    "social-16-poisson": Scenario("social", 16, 0.6, "poisson", {"theta": 1.1}),
    "ycsb-readmostly-16-bursty": Scenario(
        "ycsb", 16, 0.5, "bursty", {"theta": 0.8, "read_share": 0.8, "shortest": 4, "longest": 28}
    ),
}
SHIFTED: dict[str, Scenario] = {
    "smallbank-4hot-8-poisson": Scenario("smallbank", 8, 0.8, "poisson", {"hot": 4}),
    "tpcc-payments-8-bursty": Scenario("tpcc", 8, 0.5, "bursty", {"warehouses": 2, "new_order_share": 0.2}),
    "tpcc-8w-32-poisson": Scenario("tpcc", 32, 0.6, "poisson", {"warehouses": 8}),
    "ycsb-hot-8-bursty": Scenario("ycsb", 8, 0.4, "bursty", {"theta": 0.9}),
    "social-writes-24-bursty": Scenario("social", 24, 0.5, "bursty", {"theta": 0.9, "write_share": 0.6}),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """Train and validation show the familiar regimes; test shows all."""
    return list_generated("admission", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES)


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def instance(scenario: Scenario, commit: float) -> tuple[list[Transaction], Floats]:
    """The scenario's transactions and when they arrive; operations take 1, commits as given."""
    transactions = generate(scenario.benchmark, scenario.transactions, scenario.seed, **scenario.settings)
    traffic = Traffic(scenario.executors, scenario.load, scenario.arrivals)
    return transactions, traffic.arrivals_of(transactions, commit, scenario.seed)
