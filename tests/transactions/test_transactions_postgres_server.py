"""The real tier on a real PostgreSQL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest
from locking_cases import batch, transaction
from support.cli import ROOT, environment

from evaluators.transactions.generators import generate
from evaluators.transactions.locking import Attempt, Refused, first_come, postgresql_rules, simulate
from evaluators.transactions.postgres.calibration import apart
from evaluators.transactions.postgres.client import WRITE
from evaluators.transactions.postgres.database import BrokenInvariant, Database, Isolation, database
from evaluators.transactions.postgres.execution import Measurement, Pace, execute
from evaluators.transactions.postgres.server import NoServer, server
from evaluators.transactions.transaction import Transaction

pytestmark = pytest.mark.slow

PACE = Pace(think=0.003, unit=0.004)
DEADLOCK = 0.015


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    running = server()
    try:
        entered = running.__enter__()
    except NoServer as reason:
        pytest.skip(str(reason))
    yield entered
    running.__exit__(None, None, None)


@pytest.fixture
def opened(dsn: str) -> Iterator[Database]:
    with database(dsn, "read committed", DEADLOCK) as opened:
        yield opened


def run(opened: Database, transactions: Sequence[Transaction], clients: int) -> Measurement:
    return execute(opened, transactions, np.zeros(len(transactions)), clients, PACE, first_come)


def test_every_transaction_commits_once_and_every_write_counts(opened: Database) -> None:
    """Which `execute` checks after each run; here under deadlocks, retries and keys that are written twice."""
    transactions = [transaction(text) for text in ("wa wb wa", "wb wc", "wc wa", "ra wa", "wb ra wb") * 8]
    measured = run(opened, transactions, 6)
    assert measured.deadlocks > 0
    assert measured.serialization_failures == 0
    assert len(measured.committed) == 40 and (measured.committed > 0).all()
    with opened.connect() as session:
        assert session.execute("SELECT sum(value) FROM kv").fetchone() == (8 * 10,)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE kv SET value = value - 1 WHERE key = 0", "key 0 has value 1 after 2 committed writes"),
        ("INSERT INTO kv VALUES (77, 1)", "key 77 has value 1 after 0 committed writes"),
        ("DELETE FROM committed WHERE transaction = 1", "1 transactions committed; expected each of 2 once"),
    ],
)
def test_a_lost_write_or_transaction_is_noticed(opened: Database, statement: str, complaint: str) -> None:
    transactions = [transaction("wa"), transaction("wa wb")]
    run(opened, transactions, 2)
    with opened.connect() as session:
        opened.check(session, transactions)
        session.execute(statement)
        with pytest.raises(BrokenInvariant, match=complaint):
            opened.check(session, transactions)


def test_a_transaction_cannot_commit_twice(opened: Database) -> None:
    with opened.connect() as session:
        session.execute("INSERT INTO committed VALUES (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            session.execute("INSERT INTO committed VALUES (1)")


def test_a_deadlock_costs_one_abort_in_simulator_and_server(opened: Database) -> None:
    transactions, arrivals = batch("wa rc rc rc rc rc rc wb", "wb rc rc rc rc rc rc wa")
    rules = postgresql_rules(1.0, 0.1, deadlock_timeout=opened.deadlock_seconds / PACE.unit)
    assert simulate(transactions, arrivals, 2, rules, first_come).aborts.sum() == 1
    # On a busy machine the victim may come back before the other has been woken, and meet it again.
    assert min(run(opened, transactions, 2).deadlocks for _ in range(5)) == 1


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_only_repeatable_read_fails_where_another_updated_first(dsn: str, isolation: Isolation) -> None:
    repeatable = isolation == "repeatable read"
    transactions, arrivals = batch("rc " * 8 + "wa", "rc " * 9 + "wa")
    rules = postgresql_rules(1.0, 0.1, repeatable_read=repeatable)
    assert simulate(transactions, arrivals, 2, rules, first_come).aborts.sum() == repeatable
    with database(dsn, isolation, DEADLOCK) as opened:
        assert run(opened, transactions, 2).serialization_failures == repeatable


def test_writers_of_one_key_are_slower_than_writers_of_their_own(opened: Database) -> None:
    transactions = [transaction("wa rb rc")] * 16
    assert run(opened, transactions, 4).throughput < 0.6 * run(opened, apart(transactions), 4).throughput


@pytest.mark.parametrize(("second", "waits"), [("ra", False), ("wa", True)])
def test_writers_wait_for_the_writer_before_them_and_readers_do_not(opened: Database, second: str, waits: bool) -> None:
    transactions = [transaction("wa " + "rb " * 30), *[transaction(second)] * 4]
    arrivals = np.array([0.0] + [4.0] * 4)  # when the first surely has its lock
    committed = execute(opened, transactions, arrivals, 5, PACE, first_come).committed
    assert (committed[1:] > committed[0]).tolist() == [waits] * 4


def test_an_order_is_followed_and_arrivals_are_awaited(opened: Database) -> None:
    transactions = generate("ycsb", 12, 1, shortest=2, longest=2)
    seen: list[tuple[float, list[int], int]] = []

    def last_first(now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int:
        seen.append((now, list(pending), len(running)))
        return max(pending)

    arrivals = np.array([0.0] * 6 + [100.0] * 6)
    measured = execute(opened, transactions, arrivals, 1, PACE, last_first, window=3)
    assert np.argsort(measured.committed).tolist()[6:] == [8, 9, 10, 11, 7, 6]
    assert all(len(pending) <= 3 and running == 0 for _, pending, running in seen)
    assert (measured.committed[6:] > 100.0 * PACE.unit).all()
    assert all(now >= 100.0 for now, pending, _ in seen if pending[0] >= 6)


def test_a_sequencer_sees_who_waits(opened: Database) -> None:
    transactions, _ = batch("wa " + "rb " * 30, "wa", "rc")
    seen: list[dict[int, bool]] = []

    def watching(now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int:
        seen.append({each.id: each.waiting_since is not None for each in running})
        return pending[0]

    execute(opened, transactions, np.array([0.0, 2.0, 10.0]), 3, PACE, watching)
    assert [list(each) for each in seen] == [[], [0], [0, 1]]
    assert seen[2][1]


@pytest.mark.parametrize("choice", [7, None])
def test_an_impossible_choice_ends_the_run_and_every_session(opened: Database, choice: int | None) -> None:
    def choose(now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int | None:
        return pending[0] if len(pending) > 2 else None if running else choice

    with pytest.raises(Refused):
        execute(opened, [transaction("wa wb")] * 6, np.zeros(6), 3, PACE, choose)
    with opened.connect() as session:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'adrs' AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + 10
        while session.execute(count).fetchone() != (1,) and time.monotonic() < deadline:  # that of the fixture stays
            time.sleep(0.02)
        assert session.execute(count).fetchone() == (1,)


def test_a_failing_server_ends_the_run_with_its_reason(opened: Database) -> None:
    """As when an administrator ends a session in the middle."""
    with opened.connect() as session:

        def choose(now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int:
            if len(pending) == 4:
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = %s",
                    (WRITE.replace("%s", "$1"),),
                )
            return pending[0]

        with pytest.raises(psycopg.OperationalError):
            execute(opened, [transaction("wa wb wc")] * 8, np.zeros(8), 3, PACE, choose)


def test_the_schema_is_dropped_at_the_end(dsn: str) -> None:
    with pytest.raises(RuntimeError), database(dsn, "read committed", DEADLOCK) as opened:
        raise RuntimeError
    with psycopg.connect(dsn) as session:
        assert session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (opened.schema,)).fetchone() is None


def test_a_user_without_privileges_gets_the_servers_own_timeout(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("CREATE ROLE plain LOGIN")
        try:
            with (
                pytest.raises(NoServer, match=r"permission denied .*; grant CREATE on the database"),
                database(dsn.replace("user=postgres", "user=plain"), "read committed", DEADLOCK),
            ):
                pass
            session.execute("GRANT CREATE ON DATABASE postgres TO plain")
            with database(dsn.replace("user=postgres", "user=plain"), "read committed", DEADLOCK) as opened:
                assert opened.deadlock_seconds == 1.0
                assert len(run(opened, [transaction("wa")] * 4, 2).committed) == 4
        finally:
            session.execute("DROP OWNED BY plain")
            session.execute("DROP ROLE plain")


def test_a_throw_away_server_ends_with_its_parent_however_that_dies(dsn: str) -> None:
    code = (
        "import time\nfrom evaluators.transactions.postgres.server import server\n"
        "with server() as dsn:\n    print(dsn, flush=True)\n    time.sleep(60)"
    )
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        parent = subprocess.Popen(
            [sys.executable, "-c", code], env=environment({"ADRS_POSTGRES": ""}), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        )  # fmt: skip
        assert parent.stdout is not None
        folder = Path(parent.stdout.readline().split()[0].removeprefix("host="))
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        parent.send_signal(number)
        parent.wait()
        deadline = time.monotonic() + 20
        while (folder.exists() or Path(f"/proc/{postmaster}").exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not folder.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(postmaster, 0)


def test_the_benchmark_prints_every_part() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/transactions_postgres.py", "--quick"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, "")
    head, orders, admission = re.split(r"^(?=ORDERS: all|ADMISSION: trans)", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^PostgreSQL \d+\.\d+.*, read committed, deadlock_timeout 15 ms; think time 3 ms;", head, re.M)
    assert re.search(r"^Arrival order +[\d.]+ +[\d.]+ \([\d.]+\) +1\.00 +1\.00 +\d+ +[\d.]+ +\d+$", orders, re.M)
    assert re.search(
        r"^First come +([\d.]+ +){2}\([\d.]+\) +1\.00 +1\.00 +\d+ +[\d.]+ +\d+ +\d+ \(\d+\)$", admission, re.M
    )
    row = r"all 8, each relative to its workload( +[+-]\d\.\d\d| +-){4}"
    assert len(re.findall(rf"^{row}$", orders, re.M)) == 3  # two sets of rules and the makespan
    assert len(re.findall(rf"^{row}$", admission, re.M)) == 4  # throughput and latency, two sets of rules
