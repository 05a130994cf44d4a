"""One session of a run: wires archive, strategy, proposer and executor to the loop, and reports how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adrs.archive.records import LlmTotals
from adrs.archive.store import Archive
from adrs.errors import AdrsError, Interrupted
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.executor import Executor
from adrs.evaluation.interface import Interface
from adrs.evolution import Evolution, Progress
from adrs.planner import StrategyPlanner
from adrs.problem import Budget, Problem
from adrs.proposers.base import Brief, Proposer
from adrs.proposers.prepared import Recording, WarmStart
from adrs.runlog import RunLog
from adrs.sandbox.jail import SandboxMode
from adrs.search import build_strategy
from adrs.winner import Winner, choose_winner, leader

LOG = "run.log"
FINISHING = "stopping: finishing what is in flight; once more abandons it, and `adrs resume` takes it up again"
ABANDONING = "stopping at once: `adrs resume` takes up what was in flight"


@dataclass(frozen=True)
class Options:
    """What a session may choose. Nothing of it changes what a seeded run finds."""

    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    sandbox: SandboxMode = "auto"
    announce: Callable[[str], None] = lambda line: None  # who proposes, where it writes, that it is being stopped
    observer: Callable[[Progress], None] = lambda progress: None


@dataclass(frozen=True)
class Result:
    """How a session ended. Scores are on train workloads, which the search saw: only `verify` gives the result."""

    run: Path
    problem: str
    stopped: str
    seed_score: float
    best: Winner
    candidates: int  # the seed not counted
    outcomes: dict[str, int]  # of the whole run
    cached: int  # evaluations of this session that were found in the archive
    llm: LlmTotals
    seconds: float  # of this session

    def json(self) -> dict[str, Any]:
        """The `evolve` document of the command line."""
        return {"schema": 1, **asdict(self), "run": str(self.run)}


@dataclass(frozen=True)
class Session:
    """Everything that a session works with; the caller holds the run's lock and closes the executor."""

    directory: Path
    archive: Archive
    problem: Problem
    proposer: Proposer
    executor: Executor
    budget: Budget
    options: Options

    async def run(self) -> Result:
        """Evolve until a budget is reached, then let validation pick among the elites. Raises what the loop raises."""
        began = time.monotonic()
        log = RunLog(self.directory / LOG)
        evolution = await self._evolution(log)
        for line in self._header():
            self.options.announce(line)
            log.note(line)
        self.archive.event("started", budget=asdict(self.budget))
        try:
            with _StopSignals(evolution, self.options.announce) as signals:
                stopped = await evolution.run()
                if signals.received < 2:
                    self.options.announce("ended     the best are now scored on validation, which picks the winner")
                await signals.unless_twice(self._choose_winner(evolution.cascade))
                if signals.received > 1:
                    stopped = "interrupted"
        except AdrsError as error:
            reason = "interrupted" if isinstance(error, Interrupted) else f"error: {error}"
            self.archive.event("stopped", reason=reason)
            log.note(f"stopped: {error}")
            raise
        finally:
            await evolution.cascade.abandon()  # what an interrupted scoring on validation left under way
            await self.proposer.close()
        seconds = round(time.monotonic() - began, 3)
        self.archive.event("stopped", reason=stopped, seconds=seconds)
        log.note(f"stopped: {stopped}")
        winner = leader(self.archive)
        assert winner is not None, "the seed has a score"
        return Result(
            run=self.directory,
            problem=self.problem.name,
            stopped=stopped,
            seed_score=evolution.seed_score,
            best=winner,
            candidates=self.archive.count_committed() - 1,
            outcomes=self.archive.outcomes(),
            cached=evolution.cascade.cached,
            llm=self.archive.llm_totals(),
            seconds=seconds,
        )

    async def _choose_winner(self, cascade: Cascade) -> None:
        await choose_winner(self.archive, cascade, list(await self.executor.workloads("validation")))

    def _header(self) -> list[str]:
        recorded = self.archive.info.proposer
        who = f"replay of {recorded['file']}" if recorded["kind"] == "replay" else self.proposer.describe()
        return [
            f"problem   {self.problem.name}: {self.problem.title}",
            f"proposer  {who}",
            f"sandbox   {self.archive.info.sandbox}",
            f"run       {self.directory}",
        ]

    async def _evolution(self, log: RunLog) -> Evolution:
        description = await self.executor.describe()
        info, problem = self.archive.info, self.problem
        recording = Recording(Path(info.proposer["file"])) if info.proposer["kind"] == "replay" else None

        def observer(progress: Progress) -> None:
            log.commit(progress)
            self.options.observer(progress)

        train = self.archive.workloads("train")
        return Evolution(
            self.archive,
            Cascade(self.archive, self.executor, problem.objective, problem.limits, train, problem.timed),
            recording or StrategyPlanner(build_strategy(problem.search), self.proposer, info.seed),
            self.proposer,
            _brief(problem, description.interface),
            self.budget,
            prepared=recording or WarmStart(self.archive, info.warm),
            observer=observer,
        )


class _StopSignals:
    """While inside: SIGINT or SIGTERM once finishes what is in flight, twice abandons it."""

    def __init__(self, evolution: Evolution, announce: Callable[[str], None]) -> None:
        self.evolution = evolution
        self.announce = announce
        self.received = 0
        self._closing: asyncio.Task[None] | None = None

    def __enter__(self) -> _StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    async def unless_twice(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what comes after the evolution, unless a second signal has come or comes while it is done."""
        self._closing = asyncio.create_task(work)
        if self.received > 1:
            self._closing.cancel()
        try:
            await self._closing
        except asyncio.CancelledError:
            if self.received < 2:  # cancelled from elsewhere
                raise

    def _stop(self) -> None:
        self.received += 1
        at_once = self.received > 1
        self.announce(ABANDONING if at_once else FINISHING)
        self.evolution.stop("interrupted", at_once)
        if at_once and self._closing is not None:
            self._closing.cancel()


def _brief(problem: Problem, interface: Interface) -> Brief:
    objective = problem.objective
    return Brief(
        name=problem.name,
        title=problem.title,
        description=problem.description,
        interface=interface,
        objective=f"{objective.direction} {objective.metric} ({objective.aggregate} over the workloads)",
        source_kb=problem.limits.source_kb,
    )
