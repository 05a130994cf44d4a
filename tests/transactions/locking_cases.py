"""Transactions in shorthand, random streams of them, and what must hold of every history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from evaluators.transactions.locking import Outcome, Rules
from evaluators.transactions.transaction import Transaction


def transaction(text: str) -> Transaction:
    """`transaction("ra wb")` reads key a, then writes key b."""
    operations = text.split()
    keys = tuple(ord(operation[1]) - ord("a") for operation in operations)
    return Transaction("test", keys, tuple(operation[0] == "w" for operation in operations))


def batch(*texts: str) -> tuple[list[Transaction], np.ndarray]:
    """Transactions that all arrive at 0."""
    return [transaction(text) for text in texts], np.zeros(len(texts))


@st.composite
def streams(draw: st.DrawFn, most: int = 12, keys: int = 5, longest: int = 5) -> tuple[list[Transaction], np.ndarray]:
    """Contended transactions and arrivals at quarters of a unit of time, some at once."""
    operation = st.tuples(st.integers(0, keys - 1), st.booleans())
    drawn = draw(st.lists(st.lists(operation, min_size=1, max_size=longest), min_size=1, max_size=most))
    transactions = [Transaction("test", tuple(k for k, _ in ops), tuple(w for _, w in ops)) for ops in drawn]
    gaps = draw(st.lists(st.integers(0, 12), min_size=len(drawn), max_size=len(drawn)))
    return transactions, np.cumsum(gaps) / 4.0


Span = tuple[float, float, bool]  # a lock from its grant to the commit, and whether exclusive


def spans(transactions: Sequence[Transaction], outcome: Outcome, key: int) -> dict[int, list[Span]]:
    """The locks that committed attempts took on a key, by transaction: a shared and an exclusive one if upgraded."""
    found: dict[int, list[Span]] = {}
    for index, each in enumerate(transactions):
        times = outcome.granted[index]
        for write in (False, True):
            uses = [t for t, k, w in zip(times, each.keys, each.writes, strict=True) if k == key and w == write]
            if uses:
                found.setdefault(index, []).append((min(uses), float(outcome.committed[index]), write))
    return found


def assert_exclusive(transactions: Sequence[Transaction], outcome: Outcome, rules: Rules) -> None:
    """No lock overlaps one of another transaction that it conflicts with."""
    for key in {key for each in transactions for key in each.keys}:
        by_transaction = list(spans(transactions, outcome, key).values())
        for place, mine in enumerate(by_transaction):
            for theirs in by_transaction[place + 1 :]:
                for start, end, write in mine:
                    for other_start, other_end, other_write in theirs:
                        conflict = (write and other_write) or (rules.read_locks and (write or other_write))
                        assert not conflict or end <= other_start or other_end <= start


def assert_serialisable(transactions: Sequence[Transaction], outcome: Outcome) -> None:
    """Conflicting operations, in the order in which they had their locks, make an acyclic graph."""
    operations = sorted(
        (time, index, key, write)
        for index, each in enumerate(transactions)
        for time, key, write in zip(outcome.granted[index], each.keys, each.writes, strict=True)
    )
    after: dict[int, set[int]] = {index: set() for index in range(len(transactions))}
    for place, (time, index, key, write) in enumerate(operations):
        for later, other, other_key, other_write in operations[place + 1 :]:
            if other != index and other_key == key and (write or other_write):
                assert time < later
                after[index].add(other)
    left = set(after)
    while left:  # peel off what nothing that is left comes before
        first = {index for index in left if not any(index in after[other] for other in left)}
        assert first, "the conflict graph has a cycle"
        left -= first
