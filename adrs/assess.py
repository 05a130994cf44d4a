"""Scoring outside of the loop, from opening the job slots to closing them: check, evaluate, verify."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from adrs.archive.locate import ARCHIVE, open_run
from adrs.archive.lock import RunLock
from adrs.archive.store import Archive
from adrs.errors import InputError
from adrs.evaluation.check import Check, check_problem
from adrs.evaluation.executor import Executor
from adrs.evaluation.score import PolicyScore, Progress, score_file
from adrs.evaluation.verify import Verification, verify_policy
from adrs.problem import Problem
from adrs.problem_file import check_seed, from_snapshot, load_problem
from adrs.review.diff import with_source
from adrs.review.show import chosen
from adrs.runs import open_executor
from adrs.session import Options

T = TypeVar("T")


@dataclass(frozen=True)
class Verified:
    """A candidate of a run on held-out workloads; `recorded` tells whether the run's archive could take it down."""

    run: Path
    id: int
    result: Verification
    recorded: bool

    def json(self) -> dict[str, Any]:
        """The `verify` document of the command line."""
        return {**self.result.json(str(self.run), self.id), "recorded": self.recorded}


def check(problem: Problem | str | Path, options: Options | None = None, progress: Progress | None = None) -> Check:
    """Does a problem's set-up hold? Raises InputError and HouseError."""
    problem = _loaded(problem)

    async def work(executor: Executor) -> Check:
        await check_seed(executor, problem)
        return await check_problem(executor, problem, progress)

    return _with_executor(problem, options, work)


def evaluate(
    problem: Problem | str | Path,
    file: Path,
    split: str = "train",
    options: Options | None = None,
    progress: Progress | None = None,
) -> PolicyScore:
    """Score the policy in a file on train or validation. Raises InputError and HouseError."""
    problem = _loaded(problem)
    return _with_executor(problem, options, lambda executor: score_file(executor, problem, file, split, progress))


def verify(
    run: Path | None = None,
    id: int | None = None,
    *,
    salt: int | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Verified:
    """A candidate of a run, by default its winner, on fresh test workloads against the seed and every baseline.

    The result is an event of the run's archive, unless another process is at work on the run.

    Raises:
        InputError: no such run or candidate, an unfit salt, or an evaluator that has changed since the run began.
        HouseError: the evaluator or the sandbox failed.
    """
    with open_run(run) as (directory, archive):
        info = archive.info
        candidate = with_source(archive, chosen(archive, id))
    problem = from_snapshot(info.snapshot)

    async def work(executor: Executor) -> Verification:
        if (await executor.describe()).fingerprint != info.fingerprint:
            raise InputError(
                f"{directory}: the evaluator has changed since it chose this run's candidates;"
                f" `adrs evolve {problem.path or problem.name} --from {directory}` scores them anew in another run"
            )
        return await verify_policy(executor, problem, candidate.source, salt, progress)

    result = _with_executor(problem, options, work)
    return Verified(directory, candidate.id, result, _record(directory, candidate.id, result))


def _loaded(problem: Problem | str | Path) -> Problem:
    return problem if isinstance(problem, Problem) else load_problem(problem)


def _with_executor(problem: Problem, options: Options | None, work: Callable[[Executor], Awaitable[T]]) -> T:
    async def whole() -> T:
        async with open_executor(problem, options or Options()) as executor:
            return await work(executor)

    return asyncio.run(whole())


def _record(run: Path, id: int, result: Verification) -> bool:
    try:
        with RunLock(run):
            archive = Archive.open(run / ARCHIVE)
            archive.event("verified", **result.json(str(run), id))
            archive.close()
    except (InputError, OSError):  # another process is at work on it, or it is not ours to write
        return False
    return True
