"""Transactions run by a few executors under locking: a simulation by events."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from adrs.errors import AdrsError
from evaluators.transactions.locking.locks import LockTable
from evaluators.transactions.locking.outcome import Floats, Outcome
from evaluators.transactions.locking.rules import Rules
from evaluators.transactions.transaction import Transaction

MOST_FRUITLESS = 10_000  # aborts without a commit between them, where nothing but luck ends a series of deadlocks


@dataclass(eq=False, slots=True)
class Attempt:
    """A run of a transaction by an executor, from its start to its commit or abort."""

    id: int  # place of the transaction in the sequence that was given
    started: float
    number: int  # 1 for the first
    snapshot: int  # commits before it started
    position: int = 0  # the operation that is executed or awaited now; len(transaction) during the commit
    waiting_since: float | None = None  # None: it is not waiting for a lock
    granted: list[float] = field(default_factory=list)  # when each operation so far had its lock


Choose = Callable[[float, Sequence[int], Sequence[Attempt]], int | None]
"""Admission, `choose(now, pending, running)`: asked whenever an executor is free and something is pending, and again
after every start. Returns a transaction of `pending` to start now, or None to leave the executor idle until the next
event: an arrival, a commit, an abort, or the end of a back-off.

`pending` are places in the sequence that was given, in order of arrival, at most `window` of them; `running` are in
order of their starts.
"""


class Refused(Exception):
    """The choice is not possible; the message says why."""


def by_rank(order: Sequence[int]) -> Choose:
    """Admission in a given order: of the pending transactions the one that comes first in it, retries included."""
    rank = {transaction: place for place, transaction in enumerate(order)}

    def choose(_now: float, pending: Sequence[int], _running: Sequence[Attempt]) -> int:
        return min(pending, key=rank.__getitem__)

    return choose


def first_come(_now: float, pending: Sequence[int], _running: Sequence[Attempt]) -> int:
    """Admission in order of arrival; an aborted transaction takes its old place."""
    return pending[0]


def simulate(
    transactions: Sequence[Transaction],
    arrivals: Floats,
    executors: int,
    rules: Rules,
    choose: Choose,
    window: int | None = None,
) -> Outcome:
    """Run all transactions to their commits.

    Args:
        transactions: At least one, none of them empty.
        arrivals: float64 [transactions]. When each becomes pending, never falling.
        executors: How many run at once, at least 1. A transaction that waits for a lock keeps its executor; one that
            aborts frees it, and is pending again after its back-off.
        rules: What is locked and how long things take.
        choose: Decides what a free executor starts.
        window: How many pending transactions `choose` sees, the earliest arrivals first; None: all.

    Raises:
        Refused: `choose` names a transaction that it was not shown, or declines while nothing runs: without that rule
            it could stop the clock.
        AdrsError: Transactions abort each other for ever, as they can if deadlocks are broken after a timeout and the
            back-off is 0: their retries meet as they met before. Breaking them by age always brings a commit.
        ValueError: Arrivals that fall, empty transactions or no executor.
    """
    if not len(transactions) == len(arrivals) > 0 or not all(map(len, transactions)):
        raise ValueError("every transaction needs an arrival and an operation, and there must be one")
    if executors < 1 or np.any(np.diff(arrivals) < 0):
        raise ValueError("there must be an executor, and arrivals must not fall")
    return _Simulation(transactions, arrivals, executors, rules, choose, window).run()


class _Simulation:
    def __init__(
        self,
        transactions: Sequence[Transaction],
        arrivals: Floats,
        executors: int,
        rules: Rules,
        choose: Choose,
        window: int | None,
    ) -> None:
        self.transactions, self.arrivals, self.executors = transactions, arrivals, executors
        self.rules, self.choose, self.window = rules, choose, window
        self.now = float(arrivals[0])
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.scheduled = 0  # events so far: those of one time happen in the order in which they were scheduled
        self.news = False  # whether something has happened that admission should hear of
        self.locks = LockTable()
        self.pending: list[int] = []  # ascending, which is in order of arrival
        self.running: dict[int, Attempt] = {}  # in order of start
        self.versions: dict[int, int] = {}  # key -> number of the commit that wrote it last
        self.order: list[int] = []
        self.committed = np.zeros(len(transactions))
        self.aborts = np.zeros(len(transactions), dtype=np.int64)
        self.granted: list[tuple[float, ...]] = [()] * len(transactions)
        self.deadlocks = 0
        self.fruitless = 0  # aborts since the last commit
        self.work = self.wasted = self.blocked = 0.0

    def run(self) -> Outcome:
        for transaction, arrival in enumerate(self.arrivals.tolist()):
            self._at(arrival, partial(self._arrive, transaction))
        while self.events:
            self.now = self.events[0][0]
            while self.events and self.events[0][0] == self.now:
                heapq.heappop(self.events)[2]()
            if self.news:
                self.news = False
                self._admit()
        return Outcome(
            self.arrivals, self.committed, tuple(self.order), tuple(self.granted), self.aborts,
            self.deadlocks, self.work, self.wasted, self.blocked,
        )  # fmt: skip

    def _at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (time, self.scheduled, event))
        self.scheduled += 1

    def _arrive(self, transaction: int) -> None:
        bisect.insort(self.pending, transaction)
        self.news = True

    def _admit(self) -> None:
        while self.pending and len(self.running) < self.executors:
            shown = self.pending[: self.window]
            choice = self.choose(self.now, shown, tuple(self.running.values()))
            if choice is None:
                if not self.running:
                    raise Refused("declined while nothing runs; start one of the pending transactions then")
                return
            if choice not in shown:
                some = ", ".join(map(str, shown[:3])) + (", ..." if len(shown) > 3 else "")
                raise Refused(f"transaction {choice} is not among the {len(shown)} pending ones: {some}")
            self.pending.remove(choice)
            attempt = Attempt(choice, self.now, int(self.aborts[choice]) + 1, len(self.order))
            self.running[choice] = attempt
            self._proceed(attempt)

    def _proceed(self, attempt: Attempt) -> None:
        """Ask for the lock of the operation that comes now; after the last one, commit."""
        transaction, place = self.transactions[attempt.id], attempt.position
        if place == len(transaction):
            self._at(self.now + self.rules.commit, partial(self._commit, attempt))
            return
        write = transaction.writes[place]
        if (write or self.rules.read_locks) and not self.locks.acquire(attempt.id, transaction.keys[place], write):
            attempt.waiting_since = self.now
            if self.rules.deadlock_timeout is None:
                self._break_deadlocks(attempt)
            else:
                self._at(self.now + self.rules.deadlock_timeout, partial(self._look_for_deadlock, attempt))
            return
        self._operate(attempt)

    def _operate(self, attempt: Attempt) -> None:
        """The operation has its lock, if it needs one."""
        self._stop_waiting(attempt)
        transaction, place = self.transactions[attempt.id], attempt.position
        late = self.versions.get(transaction.keys[place], 0) > attempt.snapshot
        if self.rules.first_updater_wins and transaction.writes[place] and late:
            self._abort(attempt)
            return
        attempt.granted.append(self.now)
        self._at(self.now + self.rules.operation, partial(self._operated, attempt))

    def _operated(self, attempt: Attempt) -> None:
        self.work += self.rules.operation
        attempt.position += 1
        self._proceed(attempt)

    def _commit(self, attempt: Attempt) -> None:
        transaction = self.transactions[attempt.id]
        self.work += self.rules.commit
        self.order.append(attempt.id)
        self.fruitless = 0
        self.committed[attempt.id] = self.now
        self.granted[attempt.id] = tuple(attempt.granted)
        written = [key for key, write in zip(transaction.keys, transaction.writes, strict=True) if write]
        self.versions.update(dict.fromkeys(written, len(self.order)))
        self._end(attempt)

    def _abort(self, attempt: Attempt) -> None:
        """Only before an operation, never within: it had to wait for its lock or came too late for it."""
        self._stop_waiting(attempt)
        self.wasted += attempt.position * self.rules.operation
        self.aborts[attempt.id] += 1
        self.fruitless += 1
        if self.rules.deadlock_timeout is not None and self.fruitless == MOST_FRUITLESS:
            raise AdrsError(f"{MOST_FRUITLESS} aborts without a commit: retries meet for ever; give them a back-off")
        delay = self.rules.backoff * attempt.number
        self._at(self.now + delay, partial(self._arrive, attempt.id))
        self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        del self.running[attempt.id]
        self.news = True
        for granted in self.locks.release(attempt.id):
            self._operate(self.running[granted])

    def _stop_waiting(self, attempt: Attempt) -> None:
        if attempt.waiting_since is not None:
            self.blocked += self.now - attempt.waiting_since
            attempt.waiting_since = None

    def _break_deadlocks(self, attempt: Attempt) -> None:
        """A new wait can close several cycles, all through it. Youngest: the last in order of arrival."""
        while cycle := self.locks.deadlock(attempt.id):
            self.deadlocks += 1
            self._abort(self.running[max(cycle)])

    def _look_for_deadlock(self, attempt: Attempt) -> None:
        timeout, since = self.rules.deadlock_timeout, attempt.waiting_since
        same_wait = timeout is not None and since is not None and since + timeout == self.now
        if same_wait and self.locks.deadlock(attempt.id):
            self.deadlocks += 1
            self._abort(attempt)
