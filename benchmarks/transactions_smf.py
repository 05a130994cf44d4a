"""What Shortest Makespan First gains, by when a transaction's writes can be used by others.

    python benchmarks/transactions_smf.py

Makespans of random orders and of SMF as published (k = 5, ties at random, the makespan of the order so far with the
candidate appended), means of several runs, under two costs: that of the problem, in which a key is free for the next
once its operation is done, and two-phase locking, which holds it to the end of the transaction. `authors' tpcc` are
transactions as the public simulator of the paper's authors makes them (github.com/audreyccheng/transaction-scheduling).
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace

from evaluators.transactions.generators import generate
from evaluators.transactions.generators.workload import INSERT, Operation, Request, read, to_transactions, write
from evaluators.transactions.scheduling.makespan import Footprint, footprints, start_times
from evaluators.transactions.scheduling.workloads import FAMILIAR, SHIFTED
from evaluators.transactions.transaction import Transaction

INSTANCE = 20_261_122  # seed of the batches, which no split uses
SAMPLE = 5
RUNS = 3  # of SMF
RANDOM_ORDERS = 32
REGIMES = ("tpcc-1w-100", "tpcc-5w-250", "tpcc-10w-500", "ycsb-updates-100", "social-100", "smallbank-hot-250")


def main() -> int:
    batches = {f"authors' tpcc, {w}w, {count}": authors_tpcc(count, w) for w, count in ((1, 100), (4, 100), (10, 500))}
    for name in REGIMES:
        regime = (FAMILIAR | SHIFTED)[name]
        batches[name] = generate(regime.benchmark, regime.count, INSTANCE, **regime.settings)
    print(f"{'':24} {'free after the operation':>26} {'held to the end':>26}")
    print(f"{'batch':24}" + f" {'random':>9} {'SMF':>6} {'gain':>9}" * 2)
    for name, transactions in batches.items():
        batch = footprints(transactions)
        print(f"{name:24}{gain(batch)}{gain([held(one) for one in batch])}", flush=True)
    return 0


def authors_tpcc(count: int, warehouses: int) -> list[Transaction]:
    """Reads before writes as operations of their own; NewOrders of 23 operations arrive first, then Payments of 7."""
    rng = random.Random(INSTANCE)
    requests = []
    for index in range(count):
        warehouse = rng.randrange(warehouses)
        district, customer = ("district", warehouse, rng.randrange(10)), ("customer", rng.randrange(3000))
        pairs: list[Operation] = [read(*district), write(*district), read(*customer), write(*customer)]
        home = read("warehouse", warehouse)
        if index < count / 2:
            requests.append(Request("new_order", (home, *pairs, *[INSERT] * 18)))
        else:
            requests.append(Request("payment", (home, write("warehouse", warehouse), *pairs, INSERT)))
    return to_transactions(requests)


def held(one: Footprint) -> Footprint:
    """The same transaction if it gives its keys back only when it ends."""
    end = one.length - 1
    uses = (replace(use, last=end, last_write=None if use.last_write is None else end) for use in one.uses)
    return Footprint(one.length, tuple(uses))


def gain(batch: Sequence[Footprint]) -> str:
    """Three columns: random orders, SMF, and how many times shorter SMF is."""
    rng = random.Random(0)
    unordered = statistics.mean(length(batch, rng.sample(range(len(batch)), len(batch))) for _ in range(RANDOM_ORDERS))
    greedy = statistics.mean(length(batch, shortest_makespan_first(batch, rng)) for _ in range(RUNS))
    return f" {unordered:9.0f} {greedy:6.0f} {unordered / greedy:8.2f}x"


def shortest_makespan_first(batch: Sequence[Footprint], rng: random.Random) -> list[int]:
    left = list(range(len(batch)))
    order = [left.pop(rng.randrange(len(left)))]
    while left:
        sample = rng.sample(left, min(SAMPLE, len(left)))
        best = min(sample, key=lambda one: length(batch, [*order, one]))
        left.remove(best)
        order.append(best)
    return order


def length(batch: Sequence[Footprint], order: Sequence[int]) -> int:
    """Makespan of these transactions alone."""
    starts = start_times(batch, order)
    return max(starts[one] + batch[one].length for one in order)


if __name__ == "__main__":
    sys.exit(main())
