"""Tries out one layer of the jail alone, in this process: `python -m adrs.sandbox.probe LAYER` for `adrs doctor`.

Prints nothing and exits 0 when the layer blocks what it is for, else prints what went through or what is missing.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
from collections.abc import Callable

from adrs.sandbox import jail, kernel, seccomp


def _landlock() -> str:
    kernel.forbid_privileges()
    kernel.landlock_deny_everything(kernel.landlock_abi())
    return _not_blocked({"reading a file": lambda: os.open("/etc/passwd", os.O_RDONLY), "writing a file": _write})


def _seccomp() -> str:
    kernel.forbid_privileges()
    kernel.seccomp_install(seccomp.program(platform.machine(), os.getpid()))
    return _not_blocked(
        {"starting a process": os.fork, "opening a socket": socket.socket, "changing folder": lambda: os.chdir("/")}
    )


def _uid() -> str:
    if not jail.become_nobody():
        return "this root may not change its uid"
    return _not_blocked({"becoming root again": lambda: os.setuid(0), "reading root's files": _read_shadow})


def _memory() -> str:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    return _not_blocked({"taking 4 GiB": lambda: bytearray(2**32)})


def _write() -> None:
    os.open("/tmp/adrs-probe", os.O_WRONLY | os.O_CREAT)


def _read_shadow() -> None:
    os.open("/etc/shadow", os.O_RDONLY)


def _not_blocked(attempts: dict[str, Callable[[], object]]) -> str:
    through = []
    for what, attempt in attempts.items():
        try:
            attempt()
        except (OSError, MemoryError):
            continue
        through.append(what)
    return ", ".join(through)


LAYERS = {"landlock": _landlock, "seccomp": _seccomp, "uid": _uid, "memory": _memory}


if __name__ == "__main__":
    try:
        found = LAYERS[sys.argv[1]]()
    except OSError as error:
        found = str(error)
    print(found)
    sys.exit(bool(found))
