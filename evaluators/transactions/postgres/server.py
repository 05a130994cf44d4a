"""A PostgreSQL to measure on: the user's own, or a throw-away one that ends with this process.

The throw-away server listens on a Unix socket in a private temporary folder and keeps nothing: fsync and synchronous
commit are off, because the time of a flush is a property of the disk and not of an order, and on a shared disk mostly
noise. Locks are then held for think time and round trips alone, as in the simulator.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adrs.errors import AdrsError
from evaluators.transactions.postgres import keeper

VARIABLE = "ADRS_POSTGRES"  # names the user's server
DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "max_connections=100",
    "max_wal_size=1GB",  # no checkpoint in the middle of a measurement
    "shared_buffers=64MB",
)


class NoServer(AdrsError):
    """There is no PostgreSQL here; the message says why and what would mend it."""


@contextmanager
def server() -> Iterator[str]:
    """Connection string of a PostgreSQL: that in the variable ADRS_POSTGRES, else one started for as long as needed.

    Raises:
        NoServer: there is no such variable and no server can be started.
    """
    dsn = os.environ.get(VARIABLE)
    if dsn:
        yield dsn
        return
    with _throw_away(find_binaries()) as dsn:
        yield dsn


def find_binaries() -> Path:
    """The folder of `initdb` and `postgres`: that on PATH, else the newest that Debian installed.

    Raises:
        NoServer: there is none.
    """
    on_path = shutil.which("initdb")
    found = sorted(DEBIAN.glob("*/bin"), key=lambda folder: _version(folder.parent.name), reverse=True)
    folders = ([Path(on_path).resolve().parent] if on_path else []) + found
    for folder in folders:
        if all((folder / name).is_file() for name in ("initdb", "postgres")):
            return folder
    raise NoServer(
        f"no PostgreSQL: `initdb` is neither on PATH nor in {DEBIAN}/*/bin; install it (apt-get install postgresql), "
        f"or set {VARIABLE}=postgresql://... to use a running server"
    )


def _version(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


@contextmanager
def _throw_away(binaries: Path) -> Iterator[str]:
    """A server of a keeper that cleans up when we hang up, which we do even when killed."""
    command = [sys.executable, "-s", "-P", "-m", keeper.__name__, str(binaries), *SETTINGS]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        try:
            line = process.stdout.readline()
            answer = json.loads(line) if line else {"error": f"{keeper.__name__} died at its start"}
            if "error" in answer:
                raise NoServer(f"no PostgreSQL: {answer['error']}")
            yield f"host={answer['socket']} port={keeper.PORT} user=postgres dbname=postgres"
        finally:
            process.stdin.close()
            process.wait()
