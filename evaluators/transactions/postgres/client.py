"""One client of the database: a thread with a session that executes what it is handed, attempt by attempt."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Literal

import psycopg

from evaluators.transactions.locking import Attempt
from evaluators.transactions.postgres.database import Connection
from evaluators.transactions.transaction import Transaction

READ = "SELECT value FROM kv WHERE key = %s"
WRITE = "UPDATE kv SET value = value + 1 WHERE key = %s"

End = Literal["committed", "deadlock", "serialization failure", "failed"]


class Stopped(Exception):
    """The run is being abandoned."""


@dataclass(frozen=True)
class Ended:
    """An attempt is over.

    `at` is a reading of `time.perf_counter`, `operating` the seconds from sending each operation to the end of the
    think time after it, summed, and `elapsed` those from the beginning to the answer to the commit. `error` says why
    it failed, where that is not for the database to say.
    """

    attempt: Attempt
    client: Client
    end: End
    at: float
    operating: float
    elapsed: float
    error: Exception | None = None


class Client(threading.Thread):
    """Takes attempts from `inbox` (None: go home) and reports their ends to `ended`.

    `asked` is the reading of `time.perf_counter` at which the operation was sent whose answer is due, None between
    operations. Once `stop` is set, attempts are rolled back at their next step.
    """

    def __init__(
        self, connection: Connection, think: float, ended: queue.SimpleQueue[Ended], stop: threading.Event
    ) -> None:
        super().__init__(name="postgres client", daemon=True)
        self.inbox: queue.SimpleQueue[tuple[Attempt, Transaction] | None] = queue.SimpleQueue()
        self.asked: float | None = None
        self._connection, self._think, self._ended, self._abandoned = connection, think, ended, stop
        self._operating = 0.0

    def run(self) -> None:
        while (job := self.inbox.get()) is not None:
            self._ended.put(self._attempt(*job))

    def _attempt(self, attempt: Attempt, transaction: Transaction) -> Ended:
        started, self._operating = time.perf_counter(), 0.0
        end, failure = self._outcome(attempt, transaction)
        self.asked = None
        now = time.perf_counter()
        return Ended(attempt, self, end, now, self._operating, now - started, failure)

    def _outcome(self, attempt: Attempt, transaction: Transaction) -> tuple[End, Exception | None]:
        try:
            try:
                self._execute(attempt, transaction)
                return "committed", None
            except psycopg.errors.DeadlockDetected:
                self._connection.execute("ROLLBACK")
                return "deadlock", None
            except psycopg.errors.SerializationFailure:
                self._connection.execute("ROLLBACK")
                return "serialization failure", None
        except Exception as error:  # it belongs to whoever waits for this attempt
            self._connection.close()
            return "failed", error

    def _execute(self, attempt: Attempt, transaction: Transaction) -> None:
        """Think time follows each operation, locks held; the mark of the commit travels with it."""
        execute = self._connection.execute
        execute("BEGIN")
        for key, write in zip(transaction.keys, transaction.writes, strict=True):
            if self._abandoned.is_set():
                raise Stopped
            self.asked = sent = time.perf_counter()
            execute(WRITE if write else READ, (key,), prepare=True)
            self.asked = None
            time.sleep(self._think)
            self._operating += time.perf_counter() - sent
            attempt.position += 1
        execute(f"INSERT INTO committed VALUES ({attempt.id:d}); COMMIT")
