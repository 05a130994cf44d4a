"""NewOrder and Payment of TPC-C (Standard Specification 5.11, clauses 2.4 and 2.5): hot warehouse and district rows.

One operation a row, in the order of the specification; a row that is read in order to be updated counts as a write, as
`UPDATE ... RETURNING` locks it. The two types are 88 % of the benchmark's mix, in about equal parts (clause 5.2.3).
Left out: the 1 % of NewOrders that are rolled back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.transactions.generators.skew import nurand
from evaluators.transactions.generators.workload import INSERT, Request, check_count, check_share, read, write

DISTRICTS = 10  # of a warehouse
CUSTOMERS = 3000  # of a district
ITEMS = 100_000
LAST_NAMES = 1000  # a district's customers share them, three each
REMOTE_STOCK = 0.01  # order lines supplied by another warehouse
REMOTE_PAYMENT = 0.15  # payments of a customer of another warehouse
BY_LAST_NAME = 0.6  # payments that find the customer so


@dataclass(frozen=True)
class Tpcc:
    """Few warehouses mean contention: each NewOrder reads its warehouse's row, each Payment writes it."""

    warehouses: int = 1
    new_order_share: float = 0.5  # the others are Payments

    def __post_init__(self) -> None:
        check_count("tpcc", "warehouses", self.warehouses)
        check_share("tpcc", "new_order_share", self.new_order_share)

    def requests(self, count: int, rng: random.Random) -> Iterator[Request]:
        """Each from a terminal of a random warehouse (clause 2.4.1.1: the home warehouse is the terminal's)."""
        constants = _Constants(rng.randint(0, 255), rng.randint(0, 1023), rng.randint(0, 8191))
        for _ in range(count):
            home = rng.randrange(self.warehouses)
            if rng.random() < self.new_order_share:
                yield self._new_order(home, constants, rng)
            else:
                yield self._payment(home, constants, rng)

    def _new_order(self, home: int, constants: _Constants, rng: random.Random) -> Request:
        district = rng.randrange(DISTRICTS)
        customer = nurand(rng, 1023, 1, CUSTOMERS, constants.customer)
        operations = [
            read("warehouse", home),
            write("district", home, district),  # takes the next order number
            read("customer", home, district, customer),
            INSERT,  # order
            INSERT,  # new-order
        ]
        for _ in range(rng.randint(5, 15)):
            item = nurand(rng, 8191, 1, ITEMS, constants.item)
            supplier = self._other(home, rng) if rng.random() < REMOTE_STOCK else home
            operations += [read("item", item), write("stock", supplier, item), INSERT]  # order line
        return Request("new_order", tuple(operations))

    def _payment(self, home: int, constants: _Constants, rng: random.Random) -> Request:
        district = rng.randrange(DISTRICTS)
        warehouse_of_customer, district_of_customer = home, district
        if self.warehouses > 1 and rng.random() < REMOTE_PAYMENT:
            warehouse_of_customer, district_of_customer = self._other(home, rng), rng.randrange(DISTRICTS)
        if rng.random() < BY_LAST_NAME:  # names 0 .. 999 are given to three customers each; the middle one pays
            customer = LAST_NAMES + 1 + nurand(rng, 255, 0, LAST_NAMES - 1, constants.last_name)
        else:
            customer = nurand(rng, 1023, 1, CUSTOMERS, constants.customer)
        operations = (
            write("warehouse", home),
            write("district", home, district),
            write("customer", warehouse_of_customer, district_of_customer, customer),
            INSERT,  # history
        )
        return Request("payment", operations)

    def _other(self, home: int, rng: random.Random) -> int:
        """A warehouse that is not the home one, if there is any."""
        return home if self.warehouses == 1 else (home + rng.randint(1, self.warehouses - 1)) % self.warehouses


@dataclass(frozen=True)
class _Constants:
    """C of NURand, drawn once a run (clause 2.1.6)."""

    last_name: int
    customer: int
    item: int
