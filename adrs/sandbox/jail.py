"""Locks the current process up for good: what a forked policy process does before it sees any candidate's code."""

from __future__ import annotations

import os
import platform
import resource
import signal
from pathlib import Path
from typing import Literal

import msgspec

from adrs.sandbox import kernel, seccomp

SandboxMode = Literal["auto", "none"]
SOCKET = 3  # the only descriptor of a policy process besides 0, 1 and 2, which are /dev/null
_NOBODY = 65534
_PAGE = resource.getpagesize()


class JailError(Exception):
    """A layer that the jail cannot do without could not be had."""


class JailSpec(msgspec.Struct, frozen=True):
    """What a policy process may use. `cpu_seconds` is the kernel's hard stop; the referee watches the exact limit."""

    mode: SandboxMode
    cpu_seconds: float
    memory_mb: int


def confine(spec: JailSpec, parent: int) -> str:
    """Confine this process; there is no way back. Returns the layers in force, e.g. `landlock-7+nobody+seccomp`.

    `parent` is the pid that must be this process's parent; if it is gone already, the process ends here.

    Raises:
        JailError: Landlock or seccomp could not be had, and `spec.mode` is not "none".
    """
    _limit_resources(spec)
    layers = lock(spec.mode)
    _limit(resource.RLIMIT_NOFILE, SOCKET + 1)  # the layers above needed a descriptor
    kernel.die_with_parent(signal.SIGKILL)  # after the change of uid, which clears it
    if os.getppid() != parent:
        os._exit(1)
    if spec.mode != "none":
        _filter_calls()
        layers.append("seccomp")
    return "+".join(layers) or "none"


def _limit_resources(spec: JailSpec) -> None:
    seconds = int(spec.cpu_seconds) + 2
    bare = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
    memory = bare + spec.memory_mb * 2**20
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for name, value in limits.items():
        _limit(name, value)


def _limit(name: int, value: int) -> None:
    hard = resource.getrlimit(name)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(name, (allowed, allowed))


def lock(mode: SandboxMode) -> list[str]:
    """Everything but the limits and the system call filter. Raises `JailError`."""
    if mode == "none":
        return []
    kernel.forbid_inspection()
    kernel.forbid_privileges()
    abi = kernel.landlock_abi()
    if abi < 1:
        raise JailError("the kernel has no Landlock")
    try:
        kernel.landlock_deny_everything(abi)
    except OSError as error:
        raise JailError(str(error)) from None
    return [f"landlock-{abi}", *become_nobody()]


def become_nobody() -> list[str]:
    """Root gives up its uid. In a container without the capability the layer is missing, and the level says so."""
    if os.getuid() != 0:
        return []
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except PermissionError:
        return []
    kernel.forbid_inspection()  # a change of uid may reset it
    return ["nobody"]


def _filter_calls() -> None:
    machine = platform.machine()
    if machine not in seccomp.ARCHITECTURES:
        raise JailError(f"no system call table for {machine}")
    try:
        kernel.seccomp_install(seccomp.program(machine, os.getpid()))
    except OSError as error:
        raise JailError(str(error)) from None
