"""The fork-server: a clean, single-threaded process with all imports done, from which policy processes are forked.

Its children inherit its memory, so it never holds anything worth stealing: no keys, archive, workloads, seeds,
evaluator or candidate. It speaks with its referee over one socket of kept message boundaries (SOCK_SEQPACKET).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Sequence

import msgspec

from adrs.evaluation.interface import Interface
from adrs.sandbox import child, contract, jail, kernel, poison, wire

PACKET_BYTES = 1 << 20
EXIT_MEMORY = 77  # of a policy process that could not even say that it ran out of memory
# What loads lazily behind the modules that policies may import, and so would be missing in the jail. Not every version
# of Python and numpy has all of it.
_LAZY = {
    "": ("encodings.ascii", "encodings.latin_1", "encodings.idna", "inspect", "locale", "textwrap", "_strptime",
         "unicodedata", "warnings", "linecache", "secrets", "pprint", "__future__"),
    "collections": ("collections.abc",),
    "numpy": ("numpy.fft", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random", "numpy.lib.stride_tricks",
              "numpy.lib.recfunctions", "numpy.exceptions", "numpy.typing", "numpy.char", "numpy.rec", "numpy.strings",
              "numpy.dtypes"),
}  # fmt: skip


class Prepare(msgspec.Struct, tag=True):
    """The first request: import what policies may import. Answered by `Prepared`."""

    interface: Interface


class Fork(msgspec.Struct, tag=True):
    """Make a policy process that serves the socket passed along. Answered by `Forked` with a pidfd passed along."""

    spec: jail.JailSpec


class Reap(msgspec.Struct, tag=True):
    """Kill the policy process, with its group, and wait for it. Answered by `Reaped`."""

    pid: int


class Prepared(msgspec.Struct, tag=True):
    error: str = ""


class Forked(msgspec.Struct, tag=True):
    pid: int  # as the fork-server sees it


class Reaped(msgspec.Struct, tag=True):
    status: int  # as os.waitpid gives it
    cpu_seconds: float


def main(descriptor: int) -> None:
    """Serve the referee at the other end of the descriptor until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the coordinator
    control = socket.socket(fileno=descriptor)
    kernel.die_with_parent(signal.SIGKILL)
    packet = control.recv(PACKET_BYTES)
    if not packet:  # the referee has died, perhaps before the line above
        return
    request = msgspec.msgpack.decode(packet, type=Prepare)
    try:
        methods = _prepare(request.interface)
    except (ImportError, contract.ContractError) as error:
        control.send(msgspec.msgpack.encode(Prepared(error=str(error))))
        return
    control.send(msgspec.msgpack.encode(Prepared()))
    _Server(control, methods).serve()


def _prepare(interface: Interface) -> Sequence[contract.Method]:
    for name in interface.imports:
        importlib.import_module(name)
    for name in ("", *interface.imports):
        for lazy in _LAZY.get(name, ()):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(lazy)
    methods = contract.load(interface)
    poison.poison_uninitialised()
    sys.path.clear()
    sys.path_importer_cache.clear()
    gc.collect()
    gc.freeze()  # a child's collections leave the shared pages alone
    return methods


class _Server:
    def __init__(self, control: socket.socket, methods: Sequence[contract.Method]) -> None:
        self._control = control
        self._methods = methods
        self._null = os.open(os.devnull, os.O_RDWR)
        self._decoder = msgspec.msgpack.Decoder(Fork | Reap)

    def serve(self) -> None:
        while True:
            packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_BYTES, 1)
            if not packet:
                return
            request = self._decoder.decode(packet)
            if isinstance(request, Fork):
                self._fork(request.spec, descriptors[0])
            else:
                self._reap(request.pid)

    def _fork(self, spec: jail.JailSpec, descriptor: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_policy_process(spec, descriptor, parent)
        os.close(descriptor)
        process = os.pidfd_open(pid)
        socket.send_fds(self._control, [msgspec.msgpack.encode(Forked(pid))], [process])
        os.close(process)

    def _become_policy_process(self, spec: jail.JailSpec, descriptor: int, parent: int) -> None:
        """Never returns: whatever happens, the frames of the fork-server do not run on in a child."""
        status = 1
        try:
            os.setpgid(0, 0)
            connection = self._keep_only(descriptor)
            child.run(connection, spec, parent, self._methods)
        except wire.Disconnected:
            status = 0
        except MemoryError:
            status = EXIT_MEMORY
        finally:
            os._exit(status)

    def _keep_only(self, descriptor: int) -> socket.socket:
        """Close every descriptor but the referee's socket; 0, 1 and 2 lead nowhere."""
        for standard in range(3):
            os.dup2(self._null, standard)
        if descriptor != jail.SOCKET:  # the last, for what had this number is lost
            os.dup2(descriptor, jail.SOCKET)
        os.closerange(jail.SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
        return socket.socket(fileno=jail.SOCKET)

    def _reap(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        self._control.send(msgspec.msgpack.encode(Reaped(status, usage.ru_utime + usage.ru_stime)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
