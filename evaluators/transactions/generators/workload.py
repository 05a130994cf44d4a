"""What a generator yields: requests that touch named rows, whose names become keys."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol

from adrs.errors import InputError
from evaluators.transactions.transaction import Transaction

Row = Hashable  # a table's name and the primary key, or None for a row that is new and so nobody else's
Operation = tuple[bool, Row]  # whether it writes, and the row


@dataclass(frozen=True)
class Request:
    """One transaction by the names of its rows."""

    kind: str
    operations: tuple[Operation, ...]


class Settings(Protocol):
    """A benchmark's settings, a frozen data class that checks itself."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def requests(self, count: int, rng: random.Random) -> Iterator[Request]:
        """The requests in order of arrival."""


def read(*row: object) -> Operation:
    """An operation that reads the row."""
    return False, row


def write(*row: object) -> Operation:
    """An operation that updates the row; what it reads of the row first, it reads under the same lock."""
    return True, row


INSERT: Operation = (True, None)  # of a row that no other transaction of the batch can know of


def to_transactions(requests: Iterable[Request]) -> list[Transaction]:
    """Keys are numbered by first use; every inserted row gets a key of its own."""
    numbers: dict[Row, int] = {}
    transactions = []
    for index, request in enumerate(requests):
        keys = []
        for position, (_, row) in enumerate(request.operations):
            name = ("inserted", index, position) if row is None else row
            keys.append(numbers.setdefault(name, len(numbers)))
        writes = tuple(writes for writes, _ in request.operations)
        transactions.append(Transaction(request.kind, tuple(keys), writes))
    return transactions


def check_share(benchmark: str, name: str, value: float) -> None:
    """Raises InputError unless the value is within 0 and 1."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{benchmark}: {name}: expected a share from 0 to 1, got {value!r}")


def check_skew(benchmark: str, theta: float) -> None:
    """Raises InputError unless theta, the exponent of Zipf's law, is 0 or more."""
    if not theta >= 0:
        raise InputError(f"{benchmark}: theta: expected a number of at least 0, got {theta!r}")


def check_count(benchmark: str, name: str, value: int, least: int = 1) -> None:
    """Raises InputError unless the value is at least `least`."""
    if value < least:
        raise InputError(f"{benchmark}: {name}: expected at least {least}, got {value!r}")
