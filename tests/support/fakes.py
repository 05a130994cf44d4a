"""A problem that costs nothing: policies are texts `x = <number>`, and the score is how near x comes to a target.

For tests of the loop alone: the executor runs in-process and executes nothing, the proposer takes steps.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from adrs.archive.records import RunInfo
from adrs.archive.store import Archive
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.executor import Description
from adrs.evaluation.interface import Function, Interface
from adrs.evaluation.outcome import Evaluation, Inspection, Limits, Listed, Status
from adrs.evaluation.protocol import Split
from adrs.evolution import Evolution, Progress
from adrs.planner import StrategyPlanner
from adrs.problem import Budget, Objective, Search
from adrs.proposers.base import Brief, Candidate, Proposal, Request
from adrs.search import build_strategy

INTERFACE = Interface((Function("x", (), 0, ""),), "def x() -> float: ...")
BRIEF = Brief("near", "Near", "", INTERFACE, "maximize nearness", 64)
TARGETS = (3.0, 4.0, 5.0)


def workloads(split: str = "train") -> list[Listed]:
    return [
        Listed(split, 0, i, f"w{i}", "plain", f"c{i}", f"{split}-{i}", {"nearness": 0.0}) for i in range(len(TARGETS))
    ]


class FakeExecutor:
    """Counts every evaluation by (code, workload); `delay` gives the seconds that one takes."""

    def __init__(self, delay: Callable[[], float] = lambda: 0.0, jobs: int = 2) -> None:
        self.delay = delay
        self.slots = asyncio.Semaphore(jobs)
        self.submitted: list[tuple[str, str]] = []

    async def describe(self) -> Description:
        return Description(INTERFACE, sandbox="none", fingerprint="fake")

    async def workloads(self, split: Split, salt: int = 0) -> Sequence[Listed]:
        return workloads(split)

    async def inspect(self, source: str) -> Inspection:
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            return Inspection("invalid", error=f"line {error.lineno}: {error.msg}")
        return Inspection("ok", hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16], len(list(ast.walk(tree))))

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        async with self.slots:
            self.submitted.append((source, workload.hash))
            await asyncio.sleep(self.delay())
        x = float(source.split("=")[1])
        if x < 0:
            return Evaluation("crash", error=f"ValueError: {x} is negative")
        return Evaluation("ok", {"nearness": -abs(x - TARGETS[workload.index]), "x": x}, seconds=0.001)

    async def close(self) -> None:
        pass


class NoisyExecutor(FakeExecutor):
    """Takes up to 1.5 from what a policy deserves, another share in each measurement."""

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        evaluation = await super().submit(source, workload, limits, repeat)
        if evaluation.status != "ok":
            return evaluation
        lost = random.Random(f"{source} {workload.hash} {repeat}").uniform(0, 1.5)
        return Evaluation("ok", {"nearness": evaluation.metrics["nearness"] - lost}, seconds=0.001)


class StepProposer:
    """Takes a step whose size adapts over the committed prefix; sometimes writes nonsense."""

    name = "step"

    def __init__(
        self, order: Literal["slot", "arrival"] = "slot", lag: int = 4, delay: Callable[[], float] = lambda: 0
    ):
        self.order: Literal["slot", "arrival"] = order
        self.lag = lag
        self.delay = delay
        self.step = 1.0
        self.asked: list[int] = []

    def describe(self) -> str:
        return "step"

    def observe(self, candidate: Candidate) -> None:
        better = candidate.score is not None and candidate.score > (candidate.parent_score or -1e9)
        self.step *= 1.3 if better else 0.95

    def hints(self) -> Mapping[str, Any]:
        return {"step": self.step}

    async def propose(self, request: Request) -> Proposal:
        self.asked.append(request.slot)
        rng = request.rng()
        await asyncio.sleep(self.delay())
        if rng.random() < 0.05:
            return Proposal("unapplied", None, "nonsense", error="no block applies")
        if rng.random() < 0.05:
            return Proposal("ok", "x = (", "nonsense")
        x = float(request.parent.source.split("=")[1]) + rng.gauss(0, request.hints["step"])
        return Proposal("ok", f"x = {round(x, 1)}", "step", {"from": request.parent.id})

    async def close(self) -> None:
        pass


def new_archive(path: Any, *, order: Literal["slot", "arrival"] = "slot", lag: int = 4, seed: int = 3) -> Archive:
    info = RunInfo(
        problem="near", problem_hash="p", snapshot=json.dumps({}), fingerprint="fake", limits_hash="l", seed=seed,
        objective={"metric": "nearness", "direction": "maximize", "aggregate": "mean"}, order=order, lag=lag,
        strategy="islands", proposer={"kind": "step"}, sandbox="none", environment={},
    )  # fmt: skip
    return Archive.create(path, info, "x = 0.0", workloads())


def evolution(
    archive: Archive,
    budget: Budget,
    *,
    executor: FakeExecutor | None = None,
    proposer: StepProposer | None = None,
    strategy: Literal["islands", "topk", "best_of_n"] = "islands",
    timed: bool = False,
    observer: Callable[[Progress], None] = lambda progress: None,
) -> Evolution:
    proposer = proposer or StepProposer(archive.info.order, archive.info.lag)
    planner = StrategyPlanner(build_strategy(Search(strategy=strategy)), proposer, archive.info.seed)
    train = archive.workloads("train")
    cascade = Cascade(archive, executor or FakeExecutor(), Objective("nearness"), Limits(), train, timed)
    return Evolution(archive, cascade, planner, proposer, BRIEF, budget, observer=observer)


def jitter(seed: int, scale: float = 0.003) -> Callable[[], float]:
    """Seconds at random, to shake the order in which things finish."""
    rng = random.Random(seed)
    return lambda: rng.expovariate(1 / scale)


def statuses(archive: Archive) -> dict[Status, int]:
    counts: dict[Status, int] = {}
    for candidate in archive.committed():
        counts[candidate.status] = counts.get(candidate.status, 0) + 1
    return counts
