"""Worker processes for `mutate`, started when first needed and used from one event loop.

They are plain subprocesses rather than a `ProcessPoolExecutor`: nothing is imported again from the caller's main
module, no helper process or thread outlives a killed parent, and they do not share its process group.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from adrs.errors import ProposerError
from adrs.proposers.offline.mutate import Result, Task


class Worker:
    """One worker process, given one task at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "adrs.proposers.offline.worker", str(os.getpid()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, process_group=0,
        )  # fmt: skip
        return cls(process)

    async def run(self, task: Task) -> Result:
        """Raises `ConnectionError` or `asyncio.IncompleteReadError` when the process has died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        message = msgspec.json.encode(task)
        self._process.stdin.write(len(message).to_bytes(4, "big") + message)
        await self._process.stdin.drain()
        length = int.from_bytes(await self._process.stdout.readexactly(4), "big")
        return msgspec.json.decode(await self._process.stdout.readexactly(length), type=Result)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class Pool:
    """At most `size` workers. A worker that dies is replaced and its task run again, once: tasks are pure."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    async def run(self, task: Task) -> Result:
        """Raises `ProposerError` when the task kills its worker twice, or the pool was closed meanwhile."""
        async with self._free:
            for _ in range(2):
                try:
                    return await self._run(task)
                except (ConnectionError, asyncio.IncompleteReadError):
                    if self._closed:
                        raise ProposerError("offline: closed while a proposal was under way") from None
        raise ProposerError("offline: the worker process died twice on the same proposal; is memory short?")

    async def _run(self, task: Task) -> Result:
        worker = self._idle.pop() if self._idle else await Worker.start()
        self._busy.add(worker)
        try:
            result = await worker.run(task)
        except BaseException:  # cancelled or dead: its stream is of no use any more
            await worker.stop()
            raise
        finally:
            self._busy.discard(worker)
        self._idle.append(worker)
        return result

    async def close(self) -> None:
        self._closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.stop() for worker in workers))
