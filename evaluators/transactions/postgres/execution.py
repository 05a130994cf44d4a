"""Transactions run on PostgreSQL by a few clients behind a sequencer: the measured twin of `locking.simulate`."""

from __future__ import annotations

import bisect
import heapq
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from evaluators.transactions.locking import Attempt, Choose, Refused
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.postgres.client import Client, Ended
from evaluators.transactions.postgres.database import Database
from evaluators.transactions.transaction import Transaction

NOTICED = 0.001  # seconds without an answer after which the sequencer takes a client to be waiting for a lock


@dataclass(frozen=True)
class Pace:
    """How fast clients go.

    Attributes:
        think: Seconds that a client sleeps after each operation.
        unit: Seconds of the sequencer's unit of time, which is that of the simulator: one operation without conflict.
        backoff: Units after which a transaction that was aborted once is pending again; n times that after the n-th.
    """

    think: float
    unit: float
    backoff: float = 0.0


@dataclass(frozen=True)
class Measurement:
    """What came of a run. `committed` holds times in seconds since the start, float64 [transactions].

    `operation` and `overhead` are the mean seconds of an operation (think time included, and any wait for a lock) and
    of all else in a transaction (BEGIN and COMMIT), over the attempts that committed.
    """

    committed: Floats
    deadlocks: int
    serialization_failures: int
    operation: float
    overhead: float

    @property
    def throughput(self) -> float:
        """Commits a second, from the start to the last commit."""
        return float(len(self.committed) / self.committed.max())

    @property
    def aborts(self) -> int:
        return self.deadlocks + self.serialization_failures


def execute(
    database: Database,
    transactions: Sequence[Transaction],
    arrivals: Floats,
    clients: int,
    pace: Pace,
    choose: Choose,
    window: int | None = None,
) -> Measurement:
    """Run all transactions to their commits; afterwards the database holds what they wrote, which is checked.

    Arguments as of `locking.simulate`, arrivals and the `now` of `choose` in `pace.unit`s; the first arrival is at 0.

    Raises:
        Refused: `choose` names a transaction that it was not shown, or declines while nothing runs.
        BrokenInvariant: a transaction is lost, or committed twice, or a value is wrong.
        NoServer: the server takes no more connections.
        psycopg.Error: the server failed on the way.
    """
    with database.connect() as session:
        database.fill(session, transactions)
        with _clients(database, clients, pace.think) as (crew, ended):
            measurement = _Sequencer(transactions, arrivals, crew, ended, pace, choose, window).run()
        database.check(session, transactions)
    return measurement


@contextmanager
def _clients(database: Database, count: int, think: float) -> Iterator[tuple[list[Client], queue.SimpleQueue[Ended]]]:
    """Clients with a session each; what they are at when the block ends is rolled back."""
    stop = threading.Event()
    ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    sessions = []
    crew = []
    try:
        for _ in range(count):
            sessions.append(database.connect())
            crew.append(Client(sessions[-1], think, ended, stop))
            crew[-1].start()
        yield crew, ended
    finally:
        stop.set()
        for client in crew:
            client.inbox.put(None)
        for client in crew:
            client.join()
        for session in sessions:
            session.close()


class _Sequencer:
    """Decides in one thread what each client executes."""

    def __init__(
        self,
        transactions: Sequence[Transaction],
        arrivals: Floats,
        crew: list[Client],
        ended: queue.SimpleQueue[Ended],
        pace: Pace,
        choose: Choose,
        window: int | None,
    ) -> None:
        self.transactions, self.ended, self.pace = transactions, ended, pace
        self.choose, self.window = choose, window
        self.free = list(crew)
        self.coming = [(float(at), transaction) for transaction, at in enumerate(arrivals)]  # a heap: it is sorted
        self.pending: list[int] = []  # ascending: in order of arrival
        self.running: dict[int, tuple[Attempt, Client]] = {}  # in order of start
        self.committed = np.zeros(len(transactions))
        self.commits = 0
        self.aborts = [0] * len(transactions)
        self.ends = {"committed": 0, "deadlock": 0, "serialization failure": 0}
        self.operating = self.elapsed = 0.0

    def run(self) -> Measurement:
        self.started = time.perf_counter()
        while self.ends["committed"] < len(self.transactions):
            self._arrive()
            self._admit()
            self._hear()
        operations = sum(map(len, self.transactions))
        return Measurement(
            self.committed,
            self.ends["deadlock"],
            self.ends["serialization failure"],
            self.operating / operations,
            (self.elapsed - self.operating) / len(self.transactions),
        )

    def _now(self, reading: float | None = None) -> float:
        """The time in units, of now or of a reading of `time.perf_counter`."""
        return ((time.perf_counter() if reading is None else reading) - self.started) / self.pace.unit

    def _arrive(self) -> None:
        now = self._now()
        while self.coming and self.coming[0][0] <= now:
            bisect.insort(self.pending, heapq.heappop(self.coming)[1])

    def _admit(self) -> None:
        while self.pending and self.free:
            shown = self.pending[: self.window]
            choice = self.choose(self._now(), shown, self._attempts())
            if choice is None:
                if not self.running:
                    raise Refused("declined while nothing runs; start one of the pending transactions then")
                return
            if choice not in shown:
                raise Refused(f"transaction {choice} is not among the {len(shown)} pending ones")
            self.pending.remove(choice)
            attempt = Attempt(choice, self._now(), self.aborts[choice] + 1, self.ends["committed"])
            client = self.free.pop()
            self.running[choice] = attempt, client
            client.inbox.put((attempt, self.transactions[choice]))

    def _attempts(self) -> list[Attempt]:
        """What runs, with what is known of its waits: a sequencer sees answers that are due, not locks."""
        now = time.perf_counter()
        for attempt, client in self.running.values():
            asked = client.asked
            waits = asked is not None and now - asked > NOTICED
            attempt.waiting_since = self._now(asked) if waits else None
        return [attempt for attempt, _ in self.running.values()]

    def _hear(self) -> None:
        """Wait for the next event: an end, or that something arrives."""
        wait = max(0.0, (self.coming[0][0] - self._now()) * self.pace.unit) if self.coming else None
        try:
            self._note(self.ended.get(timeout=wait))
            while True:
                self._note(self.ended.get_nowait())
        except queue.Empty:
            return

    def _note(self, ended: Ended) -> None:
        if ended.error is not None:
            raise ended.error
        transaction = ended.attempt.id
        self.ends[ended.end] += 1
        del self.running[transaction]
        self.free.append(ended.client)
        if ended.end == "committed":
            self.committed[transaction] = ended.at - self.started
            self.operating += ended.operating
            self.elapsed += ended.elapsed
        else:
            self.aborts[transaction] += 1
            due = self._now(ended.at) + self.pace.backoff * self.aborts[transaction]
            heapq.heappush(self.coming, (due, transaction))
