"""The referee's side of its fork-server: start it clean, have policy processes forked, watch and end them."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from adrs.errors import HouseError
from adrs.evaluation.interface import Interface
from adrs.sandbox import bubblewrap, child, forkserver, jail, wire

_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
_START_SECONDS = 60.0  # importing numpy on a cold, loaded machine
_SOCKET_BUFFER = 1 << 20
_TICK_MICROSECONDS = 50_000  # between looks at a policy that has not answered

Reply = TypeVar("Reply")


class ForkServerDied(Exception):
    """The fork-server ended, and with it all its policy processes; or one of these before it knew its candidate."""


class PolicyProcess:
    """A running policy process: its socket, its CPU clock, its end."""

    def __init__(self, connection: socket.socket, descriptor: int, reap: Callable[[], forkserver.Reaped]) -> None:
        """`descriptor` is a pidfd: it cannot come to mean another process."""
        self.connection = connection
        self._descriptor = descriptor
        self._pid = _pid(descriptor)
        self._clock = (~self._pid << 3) | 2  # as clock_getcpuclockid(3) makes it
        self._reap = reap
        self._closed = False
        self._reaped: forkserver.Reaped | None = None

    def cpu_seconds(self) -> float:
        """CPU seconds used so far, measured from outside. Raises `ForkServerDied` when nobody knows any more."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # reaped, though not by us
            raise ForkServerDied from None

    def is_asleep(self) -> bool:
        """Whether it waits for an event, as opposed to a core or a page of memory."""
        try:
            return Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
        except OSError:
            return False

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends by itself within the time."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def end(self) -> forkserver.Reaped:
        """Kill and reap it; how it ended, by itself or by this. May be called again."""
        if not self._closed:
            self._closed = True
            self.connection.close()
            os.close(self._descriptor)
        if self._reaped is None:
            self._reaped = self._reap()
        return self._reaped


class ForkServer:
    """A fork-server process with its policy processes."""

    def __init__(self, interface: Interface, mode: jail.SandboxMode) -> None:
        """Raises `HouseError` when it cannot start or the interface cannot be prepared."""
        self._mode = mode
        self._wrapping = bubblewrap.prefix() if mode == "auto" else ()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_START_SECONDS)
        with theirs:
            self._process = _start(theirs, self._wrapping)
        try:
            prepared = self._request(forkserver.Prepare(interface), forkserver.Prepared)
        except ForkServerDied:
            raise HouseError("sandbox_unavailable", "the fork-server does not start") from None
        if prepared.error:
            raise HouseError("evaluator_error", prepared.error)

    def spawn(self, cpu_seconds: float, memory_mb: int) -> tuple[PolicyProcess, str]:
        """A new policy process, confined and waiting for its source, and the layers that confine it.

        Raises `HouseError` when it cannot be confined, and `ForkServerDied`.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        spec = jail.JailSpec(self._mode, cpu_seconds, memory_mb)
        with theirs:
            forked, descriptor = self._fork(spec, theirs)
        process = PolicyProcess(ours, descriptor, lambda: self._reap(forked.pid))
        try:
            layers = _await_ready(ours)
            return process, f"bubblewrap+{layers}" if self._wrapping else layers
        except (HouseError, ForkServerDied):
            process.end()
            raise

    def close(self) -> None:
        """End it; its policy processes end with it."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _fork(self, spec: jail.JailSpec, theirs: socket.socket) -> tuple[forkserver.Forked, int]:
        try:
            socket.send_fds(self._control, [msgspec.msgpack.encode(forkserver.Fork(spec))], [theirs.fileno()])
            packet, descriptors, _, _ = socket.recv_fds(self._control, forkserver.PACKET_BYTES, 1)
        except OSError as error:
            raise ForkServerDied from error
        if not packet:
            raise ForkServerDied
        return msgspec.msgpack.decode(packet, type=forkserver.Forked), descriptors[0]

    def _reap(self, pid: int) -> forkserver.Reaped:
        return self._request(forkserver.Reap(pid), forkserver.Reaped)

    def _request(self, request: msgspec.Struct, reply: type[Reply]) -> Reply:
        try:
            self._control.send(msgspec.msgpack.encode(request))
            packet = self._control.recv(forkserver.PACKET_BYTES)
        except OSError as error:
            raise ForkServerDied from error
        if not packet:
            raise ForkServerDied
        return msgspec.msgpack.decode(packet, type=reply)


def _start(control: socket.socket, wrapping: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    command = [*wrapping, sys.executable, "-s", "-P", "-m", forkserver.__name__, str(control.fileno())]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[control.fileno()],
        env=environment | _ENVIRONMENT,
        cwd="/",
    )


def _await_ready(connection: socket.socket) -> str:
    """What the policy process says of its jail, before it knows the candidate. Then arms the tick for the calls."""
    connection.settimeout(_START_SECONDS)
    channel = wire.Channel(connection, waiting=lambda idle: None)
    try:
        ready: child.Ready = channel.decoder(child.Ready).decode(channel.receive()[1])
    except (TimeoutError, wire.Disconnected):
        raise ForkServerDied from None
    if ready.error:
        raise HouseError("sandbox_unavailable", f"no policy can be jailed here: {ready.error}; see `adrs doctor`")
    connection.settimeout(None)
    tick = struct.pack("@ll", 0, _TICK_MICROSECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, tick)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, tick)
    return ready.layers


def _pid(descriptor: int) -> int:
    """The process behind a pidfd, as this process numbers it: the fork-server may have a pid namespace of its own."""
    return int(Path(f"/proc/self/fdinfo/{descriptor}").read_text().split("Pid:")[1].split()[0])
