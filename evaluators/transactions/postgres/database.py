"""The measured table in a schema of our own, and what must hold of it after a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from adrs.errors import AdrsError
from evaluators.transactions.postgres.server import NoServer
from evaluators.transactions.transaction import Transaction

Isolation = Literal["read committed", "repeatable read"]
Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60  # far beyond any wait for a lock: a run ends, whatever happens

# Half of each page is left free, so that updates stay on it and touch no index.
TABLES = """
CREATE TABLE kv (key bigint PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE committed (transaction bigint PRIMARY KEY);
"""


class BrokenInvariant(AdrsError):
    """The database holds something else than the committed transactions wrote."""


@dataclass(frozen=True)
class Database:
    """A schema on a server, with the settings of every session in it.

    `deadlock_seconds` is what the server really has: only a superuser may change it.
    """

    dsn: str
    schema: str
    isolation: Isolation
    deadlock_seconds: float
    version: str

    def connect(self) -> Connection:
        """A session in which every statement commits by itself unless it says BEGIN. Raises `NoServer`."""
        connection = _connect(self.dsn)
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.schema)))
        connection.execute(sql.SQL("SET default_transaction_isolation TO {}").format(self.isolation))
        connection.execute("SET synchronous_commit TO off")
        connection.execute(sql.SQL("SET statement_timeout TO {}").format(f"{STATEMENT_SECONDS}s"))
        _set_deadlock_timeout(connection, self.deadlock_seconds)
        return connection

    def fill(self, connection: Connection, transactions: Sequence[Transaction]) -> None:
        """Forget everything; then a row of value 0 for each key that the transactions use."""
        connection.execute("TRUNCATE kv, committed")
        with connection.cursor() as cursor, cursor.copy("COPY kv FROM STDIN") as copy:
            for key in sorted({key for transaction in transactions for key in transaction.keys}):
                copy.write_row((key, 0))
        connection.execute("VACUUM ANALYZE kv")

    def check(self, connection: Connection, transactions: Sequence[Transaction]) -> None:
        """Each transaction committed exactly once, and each value counts the committed writes of its key.

        Raises:
            BrokenInvariant: it is not so.
        """
        committed = sorted(row[0] for row in connection.execute("SELECT transaction FROM committed"))
        if committed != list(range(len(transactions))):
            raise BrokenInvariant(f"{len(committed)} transactions committed; expected each of {len(transactions)} once")
        written = Counter(
            key for each in transactions for key, write in zip(each.keys, each.writes, strict=True) if write
        )
        values: dict[int, int] = dict(connection.execute("SELECT key, value FROM kv WHERE value <> 0").fetchall())
        for key in written | values.keys():
            if values.get(key, 0) != written[key]:
                raise BrokenInvariant(
                    f"key {key} has value {values.get(key, 0)} after {written[key]} committed writes of it"
                )


@contextmanager
def database(dsn: str, isolation: Isolation, deadlock_seconds: float) -> Iterator[Database]:
    """A schema with our tables, dropped at the end.

    Args:
        deadlock_seconds: The `deadlock_timeout` to be set; the server's own holds where that is not permitted.

    Raises:
        NoServer: nothing answers, or it does not let us in or create a schema.
    """
    schema = f"adrs_{os.getpid()}_{os.urandom(4).hex()}"
    with _connect(dsn) as connection:
        held = _set_deadlock_timeout(connection, deadlock_seconds)
        try:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoServer(f"PostgreSQL: {_first_line(error)}; grant CREATE on the database to this user") from None
        try:
            opened = Database(dsn, schema, isolation, held, connection.info.parameter_status("server_version") or "?")
            with opened.connect() as session:
                session.execute(TABLES)
            yield opened
        finally:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def _connect(dsn: str) -> Connection:
    try:
        return psycopg.connect(dsn, autocommit=True, application_name="adrs", connect_timeout=CONNECT_SECONDS)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise NoServer(f"PostgreSQL: {_first_line(error)}") from None


def _set_deadlock_timeout(connection: Connection, seconds: float) -> float:
    """The timeout that the session has now."""
    try:
        connection.execute(sql.SQL("SET deadlock_timeout TO {}").format(f"{seconds * 1e3:.0f}ms"))
        return seconds
    except psycopg.errors.InsufficientPrivilege:
        query = "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'"
        (held,) = connection.execute(query).fetchone() or (seconds,)
        return float(held)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
