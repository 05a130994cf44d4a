"""Keeps a throw-away PostgreSQL for the process at the other end of its standard input, and outlives it to clean up.

    python -m evaluators.transactions.postgres.keeper BINARIES [SETTING=VALUE ...]

Prints one JSON line, `{"socket": folder}` when the server takes connections there or `{"error": reason}`. When its
input ends, because the parent closed it or died of whatever cause, the server is stopped and its folder removed.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adrs.sandbox.kernel import die_with_parent

START_SECONDS = 60.0
STOP_SECONDS = 20.0
PORT = 5432  # part of the socket's name; nothing listens on TCP


class Failed(Exception):
    """One line that says why there is no server."""


def main(binaries: Path, settings: Sequence[str]) -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which then hangs up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="adrs-postgres-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        user = _unprivileged(folder)
        _initialise(binaries, folder, user)
        server = _start(binaries, folder, settings, user)
        _await_socket(server, folder)
        _say(socket=str(folder))
        sys.stdin.read()
    except Failed as failure:
        _say(error=str(failure))
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> str | None:
    """Whom to become: PostgreSQL refuses to run as root. The folder is made theirs."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            shutil.chown(folder, name)
            return name
    raise Failed("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as")


def _initialise(binaries: Path, folder: Path, user: str | None) -> None:
    """Trust is no hole: the socket lies in a folder that only the owner may enter."""
    command = [
        f"{binaries}/initdb", "--pgdata", f"{folder}/data", "--username", "postgres", "--auth", "trust",
        "--encoding", "UTF8", "--locale", "C", "--no-sync",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        done = subprocess.run(command, stdout=log, stderr=log, cwd=folder, **_identity(user))
    if done.returncode:
        raise Failed(f"initdb failed: {_last_line(folder)}")


def _start(binaries: Path, folder: Path, settings: Sequence[str], user: str | None) -> subprocess.Popen[bytes]:
    options = ["listen_addresses=", f"unix_socket_directories={folder}", f"port={PORT}", *settings]
    command = [f"{binaries}/postgres", "-D", f"{folder}/data"]
    command += [part for option in options for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            preexec_fn=lambda: die_with_parent(signal.SIGQUIT),  # called after the change of user, which would undo it
            **_identity(user),
        )


def _await_socket(server: subprocess.Popen[bytes], folder: Path) -> None:
    """PostgreSQL writes `ready` into the eighth line of its pid file when it takes connections, as pg_ctl expects."""
    deadline = time.monotonic() + START_SECONDS
    status = folder / "data" / "postmaster.pid"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise Failed(f"postgres ended at its start: {_last_line(folder)}")
        if status.exists() and any("ready" in line for line in status.read_text().splitlines()[7:8]):
            return
        time.sleep(0.02)
    raise Failed(f"postgres took no connections within {START_SECONDS:g} s: {_last_line(folder)}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """An immediate shutdown: nothing in it will be read again."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _identity(user: str | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _last_line(folder: Path) -> str:
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "without a word"


def _say(**message: str) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
