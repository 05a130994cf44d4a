"""What an operation and a commit take when nobody is in the way: the simulator's times, measured beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from evaluators.transactions.locking import Rules, first_come, postgresql_rules
from evaluators.transactions.postgres.database import Database
from evaluators.transactions.postgres.execution import Pace, execute
from evaluators.transactions.transaction import Transaction


@dataclass(frozen=True)
class Calibration:
    """Seconds of an operation with its think time, and of a transaction's BEGIN and COMMIT, without conflicts."""

    operation: float
    commit: float

    def rules(self, database: Database, backoff: float) -> Rules:
        """PostgreSQL's rules for the simulator, in units of one operation."""
        return postgresql_rules(
            1.0,
            self.commit / self.operation,
            deadlock_timeout=database.deadlock_seconds / self.operation,
            repeatable_read=database.isolation == "repeatable read",
            backoff=backoff,
        )


def calibrate(database: Database, transactions: Sequence[Transaction], clients: int, think: float) -> Calibration:
    """Run the transactions with as many clients as later, but on keys of their own, so that nothing is ever locked."""
    arrivals = np.zeros(len(transactions))
    measured = execute(database, apart(transactions), arrivals, clients, Pace(think, think), first_come)
    return Calibration(measured.operation, measured.overhead)


def mean_of(calibrations: Sequence[Calibration]) -> Calibration:
    """Their mean; at least one."""
    return Calibration(fmean(each.operation for each in calibrations), fmean(each.commit for each in calibrations))


def apart(transactions: Sequence[Transaction]) -> list[Transaction]:
    """The same transactions, each with a copy of its keys for itself."""
    stride = 1 + max(key for transaction in transactions for key in transaction.keys)
    return [
        Transaction(each.kind, tuple(index * stride + key for key in each.keys), each.writes)
        for index, each in enumerate(transactions)
    ]
