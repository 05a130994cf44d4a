"""How long an order takes: each transaction starts as early as those before it in the order allow.

The model of Cheng et al., "Towards Optimal Transaction Scheduling" (PVLDB 17(11), 2024), section 2.1: every operation
takes one unit, in which a key serves any number of reads or one write. Nothing is filled in before what was appended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.transactions.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Use:
    """How one transaction uses one key: positions of the first and last operation, read and write on it."""

    key: int
    first: int
    last: int
    first_read: int | None
    first_write: int | None
    last_write: int | None


@dataclass(frozen=True)
class Footprint:
    """A transaction as far as others can notice it: its length, and its uses of contended keys."""

    length: int
    uses: tuple[Use, ...]


def footprints(transactions: Sequence[Transaction]) -> list[Footprint]:
    """One a transaction. A key is contended if two transactions use it and one of them writes it."""
    uses = [_uses(transaction) for transaction in transactions]
    users = Counter(key for used in uses for key in used)
    written = {key for used in uses for key, use in used.items() if use.first_write is not None}
    return [
        Footprint(len(transaction), tuple(use for key, use in used.items() if users[key] > 1 and key in written))
        for transaction, used in zip(transactions, uses, strict=True)
    ]


def start_times(batch: Sequence[Footprint], order: Sequence[int]) -> list[int]:
    """Start of each transaction, by its index in the batch, when they are appended in this order."""
    last_write: dict[int, int] = {}  # key -> time of its last write so far
    last_use: dict[int, int] = {}  # key -> time of its last operation so far
    starts = [0] * len(batch)
    for index in order:
        start = 0
        for use in batch[index].uses:
            if use.first_read is not None:
                start = max(start, last_write.get(use.key, -1) + 1 - use.first_read)
            if use.first_write is not None:
                start = max(start, last_use.get(use.key, -1) + 1 - use.first_write)
        for use in batch[index].uses:
            last_use[use.key] = max(last_use.get(use.key, -1), start + use.last)
            if use.last_write is not None:
                last_write[use.key] = start + use.last_write
        starts[index] = start
    return starts


def makespan(batch: Sequence[Footprint], order: Sequence[int]) -> int:
    """When the last transaction ends."""
    return max(start + one.length for start, one in zip(start_times(batch, order), batch, strict=True))


def _uses(transaction: Transaction) -> dict[int, Use]:
    positions: dict[int, list[int]] = {}
    for position, key in enumerate(transaction.keys):
        positions.setdefault(key, []).append(position)
    return {key: _use(key, found, transaction.writes) for key, found in positions.items()}


def _use(key: int, positions: list[int], writes: tuple[bool, ...]) -> Use:
    written = [position for position in positions if writes[position]]
    reads = [position for position in positions if not writes[position]]
    return Use(
        key,
        positions[0],
        positions[-1],
        reads[0] if reads else None,
        written[0] if written else None,
        written[-1] if written else None,
    )
