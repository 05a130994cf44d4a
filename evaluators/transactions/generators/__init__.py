"""Seeded workloads after the benchmarks of the field, for every problem of this package.

    generate("tpcc", 100, seed=7, warehouses=2)

Reading order: `workload` (rows become keys) -> `skew` (uneven draws) -> `tpcc`, `ycsb`, `smallbank`, `social`, each
with a frozen data class of its settings.
"""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Any

from adrs.errors import InputError
from evaluators.transactions.generators.smallbank import SmallBank
from evaluators.transactions.generators.social import Social
from evaluators.transactions.generators.tpcc import Tpcc
from evaluators.transactions.generators.workload import Settings, to_transactions
from evaluators.transactions.generators.ycsb import Ycsb
from evaluators.transactions.transaction import Transaction

BENCHMARKS: dict[str, type[Settings]] = {"tpcc": Tpcc, "ycsb": Ycsb, "smallbank": SmallBank, "social": Social}


def generate(benchmark: str, count: int, seed: int, **settings: Any) -> list[Transaction]:
    """`count` transactions in order of arrival. Keys are small integers, dense, numbered by first use.

    Args:
        benchmark: A name in `BENCHMARKS`.
        count: Transactions, at least 1.
        seed: Any integer; the same arguments give the same transactions.
        settings: Fields of the benchmark's data class; their defaults hold for the rest.

    Raises:
        InputError: an unknown benchmark or setting, or a value that it cannot have.
    """
    chosen = settings_of(benchmark, settings)
    if count < 1:
        raise InputError(f"{benchmark}: expected at least 1 transaction, got {count}")
    rng = random.Random(f"{benchmark}:{seed}")
    return to_transactions(chosen.requests(count, rng))


def settings_of(benchmark: str, settings: dict[str, Any]) -> Settings:
    """The benchmark's settings, checked. Raises InputError."""
    if benchmark not in BENCHMARKS:
        raise InputError(f"unknown benchmark {benchmark!r}; expected one of {', '.join(BENCHMARKS)}")
    known = [field.name for field in fields(BENCHMARKS[benchmark])]
    for name in settings:
        if name not in known:
            raise InputError(f"{benchmark}: unknown setting {name!r}; expected one of {', '.join(known)}")
    return BENCHMARKS[benchmark](**settings)


__all__ = ["BENCHMARKS", "generate", "settings_of"]
