"""The rules that a simulated database follows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What is locked, who aborts and how long things take. The defaults are strict two-phase locking.

    Locks are taken as operations come to them and are held to the end of the commit. A request that conflicts with a
    holder, or with an earlier request in line, waits in line: first come, first served. A transaction that has read a
    key and now writes it upgrades its lock; the upgrade goes to the head of the line.

    Attributes:
        operation: Time of one operation once it has its lock (execution and think time), above 0.
        commit: Time of a commit, all locks held.
        backoff: A transaction aborted for the n-th time is pending again after n times this long.
        read_locks: Whether reads take shared locks. Without, they see a snapshot: they neither wait nor make wait.
        first_updater_wins: Whether a write aborts if its key was committed by another since the transaction started.
        deadlock_timeout: None: a deadlock is broken as it arises and the youngest of its transactions (the last to
            have arrived, whatever its retries) aborts, so the oldest running never does and time always brings a
            commit. Otherwise: a transaction that has waited so long looks once, and aborts if it is in a deadlock;
            without a back-off, retries can then meet in the same deadlock for ever (`simulate` gives up).
    """

    operation: float = 1.0
    commit: float = 1.0
    backoff: float = 1.0
    read_locks: bool = True
    first_updater_wins: bool = False
    deadlock_timeout: float | None = None

    def __post_init__(self) -> None:
        if self.operation <= 0:
            raise ValueError(f"operation takes {self.operation}; it must take some time")
        if min(self.commit, self.backoff, self.deadlock_timeout or 0.0) < 0:
            raise ValueError("commit, backoff and deadlock_timeout must not be negative")


def postgresql_rules(
    operation: float,
    commit: float,
    *,
    deadlock_timeout: float = 1.0,
    repeatable_read: bool = False,
    backoff: float = 0.0,
) -> Rules:
    """PostgreSQL's (manual, "Concurrency Control" and `deadlock_timeout`), times in one unit of the caller's choice.

    Readers see a snapshot; writers lock rows to the end of the transaction and queue on the tuple; who waits for
    `deadlock_timeout` checks for a deadlock and is its victim. Under READ COMMITTED a waiting writer goes on with the
    row as it is then; under REPEATABLE READ it fails with "could not serialize access due to concurrent update".
    SERIALIZABLE's further aborts (dangerous structures of reads and writes) are not modelled.
    """
    return Rules(operation, commit, backoff, False, repeatable_read, deadlock_timeout)
