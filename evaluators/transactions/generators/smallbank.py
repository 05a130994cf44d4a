"""SmallBank: short transactions on the accounts of a bank's customers.

The six types and their shares as in BenchBase (github.com/cmu-db/benchbase), after Alomari et al., "The Cost of
Serializability on Platforms That Use Snapshot Isolation" (ICDE 2008), which has a hot spot of customers too. One
operation a row; a row that is read in order to be updated counts as a write.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.transactions.generators.workload import Operation, Request, check_count, check_share, read, write

SHARES = {
    "amalgamate": 15, "balance": 15, "deposit_checking": 15, "send_payment": 25, "transact_savings": 15,
    "write_check": 15,
}  # fmt: skip


@dataclass(frozen=True)
class SmallBank:
    """`hot` customers get `hot_share` of the draws."""

    customers: int = 18_000
    hot: int = 100
    hot_share: float = 0.9

    def __post_init__(self) -> None:
        check_count("smallbank", "hot", self.hot, 2)
        check_count("smallbank", "customers", self.customers, self.hot + 2)
        check_share("smallbank", "hot_share", self.hot_share)

    def requests(self, count: int, rng: random.Random) -> Iterator[Request]:
        """Kinds are the names in `SHARES`."""
        for kind in rng.choices(list(SHARES), list(SHARES.values()), k=count):
            customer = self._customer(rng)
            other = self._customer(rng)
            while other == customer:
                other = self._customer(rng)
            yield Request(kind, _operations(kind, customer, other))

    def _customer(self, rng: random.Random) -> int:
        if rng.random() < self.hot_share:
            return rng.randrange(self.hot)
        return rng.randrange(self.hot, self.customers)


def _operations(kind: str, customer: int, other: int) -> tuple[Operation, ...]:
    """The rows of accounts (names), savings and checking that the type touches, in BenchBase's order."""
    account, other_account = read("account", customer), read("account", other)
    savings, checking, other_checking = ("savings", customer), ("checking", customer), ("checking", other)
    match kind:
        case "amalgamate":
            return account, other_account, write(*savings), write(*checking), write(*other_checking)
        case "balance":
            return account, read(*savings), read(*checking)
        case "deposit_checking":
            return account, write(*checking)
        case "send_payment":
            return account, other_account, write(*checking), write(*other_checking)
        case "transact_savings":
            return account, write(*savings)
        case _:  # write_check
            return account, read(*savings), write(*checking)
