"""Evaluates on this machine: a pool of job slots, each a referee process with a jailed policy process beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from adrs.errors import HouseError
from adrs.evaluation.executor import Description, EvaluatorSpec
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed
from adrs.evaluation.protocol import Split
from adrs.sandbox import messages
from adrs.sandbox.host import RefereeDied, RefereeHost
from adrs.sandbox.jail import SandboxMode

Reply = TypeVar("Reply")
_DEFAULT_LIMITS = Limits()
_INSPECT_SECONDS = 30.0  # 1 MiB of code takes about one


class LocalExecutor:
    """Implements `adrs.evaluation.executor.Executor` with `jobs` evaluations at a time.

    One more referee, the clerk, describes, lists and inspects, so that none of this waits for an evaluation. Processes
    start when they are first needed. `sandbox="none"` gives up the jail (not the process wall) and must be asked for.
    With `timed`, the evaluator prices the time that policies take; one that cannot is refused by the first request.
    """

    def __init__(
        self, spec: EvaluatorSpec, jobs: int = 1, sandbox: SandboxMode = "auto", *, timed: bool = False
    ) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self._clerk = _Slot(messages.Open(spec, sandbox, None, timed))
        self._clerk_free = asyncio.Lock()
        self._description: Description | None = None
        self._slots = [_Slot(messages.Open(spec, sandbox, cores[index % len(cores)], timed)) for index in range(jobs)]
        self._free: asyncio.Queue[_Slot] = asyncio.Queue()
        for slot in self._slots:
            self._free.put_nowait(slot)
        self._alone = asyncio.Lock()

    async def describe(self) -> Description:
        async with self._clerk_free:
            if self._description is None:
                self._description = (await self._clerk.ask(messages.Describe(), messages.Described)).description
            return self._description

    async def workloads(self, split: Split, salt: int = 0) -> Sequence[Listed]:
        async with self._clerk_free:
            return (await self._clerk.ask(messages.ListWorkloads(split, salt), messages.Workloads)).listed

    async def inspect(self, source: str) -> Inspection:
        """A text that kills the parser twice, or keeps it busy for too long, is invalid like any that it refuses.

        Once might have been the house: a clerk killed from outside is no fault of the text.
        """
        try:
            source.encode()
        except UnicodeEncodeError as error:
            return Inspection("invalid", error=f"not valid Unicode: {error.reason}")
        async with self._clerk_free:
            for _ in range(2):
                await self._clerk.host()
                asking = self._clerk.ask_or_die(messages.Inspect(source), messages.Inspected)
                try:
                    return (await asyncio.wait_for(asking, _INSPECT_SECONDS)).inspection
                except RefereeDied:
                    continue
                except TimeoutError:
                    break
            return Inspection("invalid", error="the code cannot be parsed within reasonable limits")

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        """Repeats differ in nothing but their number: a fresh process each."""
        request = messages.Evaluate(source, workload, limits)
        async with self._slot() as slot:
            evaluated = await slot.ask(request, messages.Evaluated)
        if evaluated.wall:
            async with self._all_slots() as slots:
                evaluated = await slots[0].ask(request, messages.Evaluated)
        return evaluated.evaluation

    async def close(self) -> None:
        await asyncio.gather(*(slot.close() for slot in (self._clerk, *self._slots)))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[_Slot]:
        slot = await self._free.get()
        try:
            yield slot
        finally:
            self._free.put_nowait(slot)

    @asynccontextmanager
    async def _all_slots(self) -> AsyncIterator[list[_Slot]]:
        """The machine to itself, as far as this run's evaluations go."""
        held: list[_Slot] = []
        async with self._alone:
            try:
                while len(held) < len(self._slots):
                    held.append(await self._free.get())
                yield held
            finally:
                for slot in held:
                    self._free.put_nowait(slot)


class _Slot:
    """A referee that is started when needed, and anew after a failure."""

    def __init__(self, opening: messages.Open) -> None:
        self._opening = opening
        self._host: RefereeHost | None = None

    async def host(self) -> RefereeHost:
        if self._host is None:
            self._host = await RefereeHost.start(self._opening)
        return self._host

    async def ask(self, request: messages.Request, kind: type[Reply]) -> Reply:
        """Raises `HouseError` when the referee dies."""
        try:
            return await self.ask_or_die(request, kind)
        except RefereeDied as error:
            raise HouseError("evaluator_error", f"the referee died: {error}") from None

    async def ask_or_die(self, request: messages.Request, kind: type[Reply]) -> Reply:
        """Raises `RefereeDied`."""
        host = await self.host()
        try:
            return await host.request(request, kind)
        except (RefereeDied, asyncio.CancelledError):
            await self.close()  # it is dead, or busy with what nobody waits for
            raise

    async def close(self) -> None:
        """A close that is cancelled is taken up by the next one."""
        host = self._host
        if host is not None:
            await host.close()
            if self._host is host:
                self._host = None


def evaluate(
    spec: EvaluatorSpec,
    source: str,
    split: Split = "train",
    limits: Limits = _DEFAULT_LIMITS,
    sandbox: SandboxMode = "auto",
    salt: int = 0,
    timed: bool = False,
) -> list[tuple[Listed, Evaluation]]:
    """Evaluate one source on all workloads of a split, one after the other; for scripts and tests.

    Raises `HouseError` and `InputError`. For more than one source keep a `LocalExecutor`.
    """

    async def run() -> list[tuple[Listed, Evaluation]]:
        executor = LocalExecutor(spec, 1, sandbox, timed=timed)
        try:
            listed = await executor.workloads(split, salt)
            return [(workload, await executor.submit(source, workload, limits)) for workload in listed]
        finally:
            await executor.close()

    return asyncio.run(run())
