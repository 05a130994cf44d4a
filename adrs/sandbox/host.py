"""The coordinator's side of one referee: start it, ask it, notice its death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import sys
from typing import TypeVar

import msgspec

from adrs.errors import HouseError, InputError
from adrs.sandbox import messages, referee

_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SECRETS = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_STDERR_BYTES = 2000
_END_SECONDS = 5.0

Reply = TypeVar("Reply")


class RefereeDied(Exception):
    """The referee ended during a request; the message is the tail of what it wrote to stderr."""


class _Child(asyncio.SubprocessProtocol):
    """Collects the tail of a process's stderr; `ended` is done when it has exited and its stderr is closed."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stderr = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.stderr = (self.stderr + data)[-_STDERR_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class RefereeHost:
    """One referee process. One request at a time: the caller holds the slot."""

    def __init__(self, transport: asyncio.SubprocessTransport, child: _Child) -> None:
        """Use `start`."""
        self._transport = transport
        self._child = child
        self._closing = False
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._decoder = msgspec.msgpack.Decoder(messages.Reply)

    @classmethod
    async def start(cls, request: messages.Open) -> RefereeHost:
        """Raises `InputError` when there is no such evaluator, `HouseError` when it cannot be loaded."""
        ours, theirs = socket.socketpair()
        with theirs:
            transport, child = await asyncio.get_running_loop().subprocess_exec(
                _Child, sys.executable, "-s", "-P", "-m", referee.__name__, str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()], env=_environment(), start_new_session=True,
            )  # fmt: skip
        host = cls(transport, child)
        try:
            host._reader, host._writer = await asyncio.open_unix_connection(sock=ours, limit=2**20)
            await host.request(request, messages.Opened)
        except BaseException as error:
            await host.close()
            if isinstance(error, RefereeDied):
                raise HouseError("evaluator_error", f"the referee does not start: {error}") from None
            raise
        return host

    async def request(self, request: messages.Request, kind: type[Reply]) -> Reply:
        """Ask and wait. Raises `HouseError` or `InputError` as the referee says, and `RefereeDied`.

        When cancelled, the referee is in an unknown state: close it.
        """
        data = msgspec.msgpack.encode(request)
        assert self._writer is not None
        try:
            self._writer.write(messages.LENGTH.pack(len(data)) + data)
            await self._writer.drain()
            size = messages.LENGTH.unpack(await self._reader.readexactly(messages.LENGTH.size))[0]
            reply = self._decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise RefereeDied(await self._last_words()) from None
        if isinstance(reply, messages.Refused):
            raise InputError(reply.message) if reply.status == "input" else HouseError(reply.status, reply.message)
        if not isinstance(reply, kind):
            raise TypeError(f"the referee answered {type(reply).__name__}, expected {kind.__name__}")
        return reply

    async def close(self) -> None:
        """End the referee; its fork-server and policy processes end with it. May be called again, to wait for the end.

        A kill, or a close before the end, polls the process: done twice, it could take the exit status from under
        asyncio's watcher, which complains on stderr.
        """
        if not self._closing:
            self._closing = True
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(TimeoutError):  # a stray process of the evaluator's holds its stderr open
            await asyncio.wait_for(asyncio.shield(self._child.ended), _END_SECONDS)
        self._transport.close()

    async def _last_words(self) -> str:
        await self.close()
        lines = [line.strip() for line in self._child.stderr.decode(errors="replace").splitlines()]
        return " | ".join(filter(None, lines)) or f"exit status {self._transport.get_returncode()}"


def _environment() -> dict[str, str]:
    """A simulator may need the user's settings, but no keys."""
    return {name: value for name, value in os.environ.items() if not _SECRETS.search(name)} | _ENVIRONMENT
