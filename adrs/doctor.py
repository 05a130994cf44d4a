"""Looks at this machine: what ADRS would use here, tried out rather than guessed."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import adrs
from adrs.errors import HouseError
from adrs.evaluation.interface import Interface
from adrs.evaluation.outcome import Limits
from adrs.sandbox import bubblewrap, contract, kernel, probe
from adrs.sandbox.launcher import ForkServer, ForkServerDied
from adrs.sandbox.policy import JailedPolicy, PolicyFailure

_PROBE_SECONDS = 60.0
_OLDEST_SQLITE = (3, 35)
_OLDEST_SCOPING_ABI = 6  # Landlock's first version that scopes signals and abstract sockets

_INTERFACE = Interface.from_text(
    'def attempt(what: str) -> str:\n    """How the attempt failed; empty if it did not."""\n'
)
_HOSTILE_POLICY = """
import os, socket

ATTEMPTS = {
    "read a file": lambda: open("/etc/passwd").close(),
    "see file names": lambda: os.listdir("/"),
    "write a file": lambda: open("/tmp/adrs-probe", "w").close(),
    "look into its parent": lambda: open(f"/proc/{os.getppid()}/environ").close(),
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "open a socket": socket.socket,
    "start a process": os.fork,
    "take 4 GiB of memory": lambda: bytearray(1 << 32),
}

def attempt(what):
    try:
        ATTEMPTS[what]()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return ""
"""
_ATTEMPTS = (
    *("read a file", "see file names", "write a file", "look into its parent", "signal its parent"),
    *("open a socket", "start a process", "take 4 GiB of memory"),
)


@dataclass(frozen=True)
class Check:
    """One finding. `fail` means that ADRS does not work here as it should, `warn` that it does, with less."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str


def diagnose(environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Examine interpreter, kernel, jail and settings. Takes a second or two. Never shows a key."""
    return [
        _python(),
        Check("cores", "ok", f"{len(os.sched_getaffinity(0))} usable"),
        _sqlite(),
        _names(),
        Check("kernel", "ok" if sys.platform == "linux" else "fail", f"{platform.system()} {platform.release()}"),
        _landlock(),
        _seccomp(),
        _uid(),
        _bubblewrap(),
        *_policy_process(),
        _llm(environment),
    ]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _sqlite() -> Check:
    fine = sqlite3.sqlite_version_info >= _OLDEST_SQLITE
    oldest = ".".join(map(str, _OLDEST_SQLITE))
    detail = sqlite3.sqlite_version if fine else f"{sqlite3.sqlite_version}; {oldest} or newer is needed"
    return Check("sqlite", "ok" if fine else "fail", detail)


def _names() -> Check:
    """The names `adrs`, `evaluators` and `typer-cli` exist on the package index too, as other people's projects."""
    home = Path(adrs.__file__).resolve().parent.parent
    for name in ("evaluators", "typer_cli"):
        specification = importlib.util.find_spec(name)
        origin = specification.origin if specification else None
        if origin is None:
            return Check("packages", "fail", f"{name} is missing; reinstall adrs-toolkit")
        if not Path(origin).resolve().is_relative_to(home):
            return Check("packages", "fail", f"{name} comes from {origin}, not from {home}: uninstall that package")
    return Check("packages", "ok", f"adrs, evaluators and typer_cli from {home}")


def _landlock() -> Check:
    abi = kernel.landlock_abi()
    if abi < 1:
        return Check(
            "landlock", "fail", "not in this kernel (5.13 or newer, CONFIG_SECURITY_LANDLOCK): nothing is evaluated"
        )
    found = _probed("landlock")
    if found:
        return Check("landlock", "fail", f"ABI {abi}, not blocked: {found}")
    if abi < _OLDEST_SCOPING_ABI:
        return Check("landlock", "warn", f"ABI {abi}: files blocked; signals and abstract sockets are left to seccomp")
    return Check("landlock", "ok", f"ABI {abi}: files, TCP, signals, abstract sockets blocked")


def _seccomp() -> Check:
    found = _probed("seccomp")
    return Check("seccomp", "fail" if found else "ok", found or f"system call list for {platform.machine()} in force")


def _uid() -> Check:
    if os.getuid() != 0:
        return Check("uid", "warn", f"policies keep your uid {os.getuid()}, for only root can give its uid up")
    found = _probed("uid")
    return Check(
        "uid", "warn" if found else "ok", f"policies stay root: {found}" if found else "policies run as nobody"
    )


def _bubblewrap() -> Check:
    if shutil.which("bwrap") is None:
        return Check("bubblewrap", "ok", "not installed (optional, an extra layer)")
    works = bool(bubblewrap.prefix())
    detail = "around the fork-server" if works else "installed, but a trial start fails; the other layers do without"
    return Check("bubblewrap", "ok" if works else "warn", detail)


def _probed(layer: str) -> str:
    """What a layer, tried alone in a process of its own, let through or lacks; empty if all is well."""
    command = [sys.executable, "-s", "-P", "-m", probe.__name__, layer]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "the probe hangs"
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2] or f"the probe ended with {done.returncode}"


def _policy_process() -> Iterator[Check]:
    """A real policy process with a hostile policy in it."""
    try:
        server = ForkServer(_INTERFACE, "auto")
    except HouseError as error:
        yield Check("fork-server", "fail", str(error))
        return
    try:
        yield from _hostile_checks(server)
    except (HouseError, ForkServerDied) as error:
        yield Check("policy process", "fail", str(error) or "the fork-server died")
    finally:
        server.close()


def _hostile_checks(server: ForkServer) -> Iterator[Check]:
    methods = contract.load(_INTERFACE)
    limits = Limits()
    for what in _ATTEMPTS:
        process, layers = server.spawn(limits.cpu_seconds, limits.memory_mb)
        if what == _ATTEMPTS[0]:
            yield Check("policy process", "ok", layers)
        policy = JailedPolicy(process, methods, limits)
        try:
            policy.load(_HOSTILE_POLICY)
            refused = policy.call("attempt", what)
        except PolicyFailure as failure:
            refused = failure.message
        finally:
            process.end()
        yield Check(f"policy cannot {what}", "ok" if refused else "fail", refused or "it can")


def _llm(environment: Mapping[str, str]) -> Check:
    url = environment.get("OPENAI_BASE_URL")
    where = f" at {urlsplit(url).scheme}://{urlsplit(url).hostname}" if url else ""
    if environment.get("OPENAI_API_KEY"):
        return Check("llm", "ok", f"OPENAI_API_KEY is set{where}: the proposer openai can be used")
    if url:
        return Check("llm", "ok", f"OPENAI_BASE_URL is set{where}, without a key")
    return Check("llm", "ok", "none configured (OPENAI_API_KEY, OPENAI_BASE_URL): the proposer is offline")
