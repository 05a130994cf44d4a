"""YCSB transactions: several records of one table, drawn by Zipf's law (Cooper et al., "Benchmarking Cloud Serving
Systems with YCSB", SoCC 2010; theta 0.99 is its default).

As transactions of several operations it is used since Yu et al., "Staring into the Abyss" (PVLDB 8(3), 2014): 16
records a transaction, no record twice, each read or written.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.transactions.generators.skew import Zipf
from evaluators.transactions.generators.workload import Request, check_count, check_share, check_skew, read, write


@dataclass(frozen=True)
class Ycsb:
    """Records in a random order within each transaction."""

    records: int = 10_000
    theta: float = 0.9
    read_share: float = 0.5  # of the operations; the others write
    shortest: int = 16  # operations
    longest: int = 16

    def __post_init__(self) -> None:
        check_share("ycsb", "read_share", self.read_share)
        check_skew("ycsb", self.theta)
        check_count("ycsb", "shortest", self.shortest)
        check_count("ycsb", "longest", self.longest, self.shortest)
        check_count("ycsb", "records", self.records, self.longest)

    def requests(self, count: int, rng: random.Random) -> Iterator[Request]:
        """All of kind "ycsb"."""
        zipf = Zipf(self.records, self.theta)
        for _ in range(count):
            records = zipf.draw_distinct(rng, rng.randint(self.shortest, self.longest))
            rng.shuffle(records)
            operations = tuple(
                read("record", record) if rng.random() < self.read_share else write("record", record)
                for record in records
            )
            yield Request("ycsb", operations)
