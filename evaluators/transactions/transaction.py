"""What a transaction is, in every problem of this package."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Transaction:
    """Reads and writes at fixed positions: operation p takes the p-th unit of time after the start.

    A key may be used more than once. `kind` names the type of transaction ("new_order", "payment", ...).
    """

    kind: str
    keys: tuple[int, ...]
    writes: tuple[bool, ...]  # whether operation p writes its key; otherwise it reads it

    def __len__(self) -> int:
        """Number of operations: how long it takes when nothing holds it up."""
        return len(self.keys)
