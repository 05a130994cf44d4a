"""Do orders and admission policies do on a real PostgreSQL what the simulator says?

    python benchmarks/transactions_postgres.py [--quick] [--order FILE ...] [--admission FILE ...]

Prints simulated and measured throughput, latency and aborts of every baseline, and rank correlations: of the simulator
with PostgreSQL, and of PostgreSQL with itself on a second run (the ceiling: as far as a run tells policies apart).
FILEs are more policies to compare, run behind the wall like all others. The server is the one that ADRS_POSTGRES names
(postgresql://...; a schema of our own is made and dropped), else a throw-away one. Needs the extra `postgres`; where
there is no server, one line says why and the exit code is 3.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

from adrs.errors import AdrsError, InputError
from adrs.evaluation.outcome import Limits
from adrs.problem_file import load_problem

try:
    import psycopg
except ImportError:
    sys.exit("psycopg is not installed: pip install 'adrs-toolkit[postgres]'")

from evaluators.transactions.admission import TransactionAdmission
from evaluators.transactions.admission.workloads import Scenario
from evaluators.transactions.postgres import report
from evaluators.transactions.postgres.comparison import SESSIONS, Result, Setting, compare
from evaluators.transactions.postgres.database import Database, database
from evaluators.transactions.postgres.server import NoServer, server
from evaluators.transactions.postgres.settings import SCENARIOS, batch, stream
from evaluators.transactions.postgres.wall import Wall
from evaluators.transactions.scheduling import TransactionScheduling

NO_SERVER = 3
SEED = 1  # of the orders in which policies follow each other
QUICK_SCENARIOS, QUICK_TRANSACTIONS, QUICK_POLICIES = ("tpcc", "ycsb-updates"), 30, 4


def main() -> int:
    try:
        options = _options()
        with server() as dsn, database(dsn, options.isolation, options.deadlock / 1e3) as opened:
            _head(opened, options)
            _orders(opened, options)
            _admission(opened, options)
    except NoServer as reason:
        print(reason, file=sys.stderr)
        return NO_SERVER
    except (AdrsError, psycopg.Error) as error:
        print(str(error).strip(), file=sys.stderr)
        return error.exit_code if isinstance(error, AdrsError) else 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small workloads, a few baselines, one repetition")
    parser.add_argument("--order", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--admission", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--isolation", choices=("read committed", "repeatable read"), default="read committed")
    parser.add_argument("--think", type=float, default=3.0, metavar="MS", help="after each operation (3)")
    parser.add_argument("--deadlock", type=float, default=15.0, metavar="MS", help="deadlock_timeout (15)")
    parser.add_argument("--repeats", type=int, default=2, metavar="N", help="runs of each policy a session (2)")
    options = parser.parse_args()
    if options.think <= 0 or options.deadlock < 1 or options.repeats < 1:
        raise InputError("--think must be above 0, --deadlock and --repeats at least 1")
    options.repeats = 1 if options.quick else options.repeats
    return options


def _head(opened: Database, options: argparse.Namespace) -> None:
    print(f"{date.today()}, {os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}")
    print(
        f"PostgreSQL {opened.version}, {opened.isolation}, deadlock_timeout {opened.deadlock_seconds * 1e3:g} ms; "
        f"think time {options.think:g} ms; runs of a policy on a workload: {SESSIONS} sessions x {options.repeats}; "
        f"load average {os.getloadavg()[0]:.1f} at the start\n"
    )


def _orders(opened: Database, options: argparse.Namespace) -> None:
    policies, limits = _policies("transaction_scheduling", options.order, options.quick)
    with closing(Wall(TransactionScheduling.interface, limits)) as wall:
        batches = [batch(name, each, wall, policies) for name, each in _scenarios(options.quick).items()]
    results = _compare(opened, [each.setting for each in batches], options)
    print("ORDERS: all transactions are pending at the start, clients take them in the given order")
    for result, each in zip(results, batches, strict=True):
        _print(report.table(result, {"makespan": [str(each.makespans[cell.contender]) for cell in result.cells]}))
    print("\nORDERS: rank correlation with PostgreSQL's throughput of a session; ceiling: of its two sessions")
    speeds = [[1 / each.makespans[name] for name in each.setting.contenders] for each in batches]
    predictions = report.predictions(results, report.throughput) | {"makespan of the scheduling problem": speeds}
    for title, predicted in predictions.items():
        _print(report.correlations(title, results, predicted, report.throughput))


def _admission(opened: Database, options: argparse.Namespace) -> None:
    policies, limits = _policies("transaction_admission", options.admission, options.quick)
    with closing(Wall(TransactionAdmission.interface, limits)) as wall:
        settings = [stream(name, each, wall, policies) for name, each in _scenarios(options.quick).items()]
        results = _compare(opened, settings, options)
    print("\nADMISSION: transactions arrive over time, a policy picks one for each free client")
    for result in results:
        _print(report.table(result, report.latencies(result)))
    for name, measure in (("throughput", report.throughput), ("root mean square latency", report.latency)):
        print(f"\nADMISSION: rank correlation with PostgreSQL's {name} of a session; ceiling: of its two sessions")
        for title, predicted in report.predictions(results, measure).items():
            _print(report.correlations(title, results, predicted, measure))


def _policies(name: str, files: Sequence[Path], quick: bool) -> tuple[dict[str, str], Limits]:
    """All baselines of a problem, its seed, and the files given, with the problem's limits."""
    problem = load_problem(name)
    known = {**problem.baselines, "seed": problem.seed}
    if quick:
        known = dict(list(known.items())[:QUICK_POLICIES])
    try:
        return known | {str(path): path.read_text(encoding="utf-8") for path in files}, problem.limits
    except OSError as error:
        raise InputError(f"{error.filename}: cannot read the policy: {error.strerror}") from None


def _scenarios(quick: bool) -> dict[str, Scenario]:
    if not quick:
        return SCENARIOS
    return {name: replace(SCENARIOS[name], transactions=QUICK_TRANSACTIONS) for name in QUICK_SCENARIOS}


def _compare(opened: Database, settings: Sequence[Setting], options: argparse.Namespace) -> list[Result]:
    def progress(what: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)

    results = compare(opened, settings, options.think / 1e3, options.repeats, SEED, progress)
    progress("")
    return results


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line.rstrip(), flush=True)


def _processor() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return models[0].split(":")[1].strip() if models else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
