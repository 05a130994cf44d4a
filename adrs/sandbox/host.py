"""The coordinator's side of one referee: start it, ask it, notice its death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections import deque
from typing import TypeVar

import msgspec

from adrs.errors import HouseError, InputError
from adrs.sandbox import messages, referee

_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SECRETS = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_STDERR_LINES = 15

Reply = TypeVar("Reply")


class RefereeDied(Exception):
    """The referee ended during a request; the message is the tail of what it wrote to stderr."""


class RefereeHost:
    """One referee process. One request at a time: the caller holds the slot."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._draining = asyncio.create_task(self._drain())
        self._decoder = msgspec.msgpack.Decoder(messages.Reply)

    @classmethod
    async def start(cls, request: messages.Open) -> RefereeHost:
        """Raises `InputError` when there is no such evaluator, `HouseError` when it cannot be loaded."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-s", "-P", "-m", referee.__name__, str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()], env=_environment(), start_new_session=True,
            )  # fmt: skip
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=2**20)
        host = cls(process, reader, writer)
        try:
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
        """End the referee; its fork-server and policy processes end with it."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._draining

    async def _last_words(self) -> str:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        status = await self._process.wait()
        await self._draining
        return " | ".join(line for line in self._stderr if line.strip()) or f"exit status {status}"

    async def _drain(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while chunk := await stderr.read(4096):
            self._stderr.extend(chunk.decode(errors="replace").splitlines())


def _environment() -> dict[str, str]:
    """A simulator may need the user's settings, but no keys."""
    return {name: value for name, value in os.environ.items() if not _SECRETS.search(name)} | _ENVIRONMENT
