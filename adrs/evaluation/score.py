"""The score of one policy on the workloads of a split."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from adrs.errors import HouseError, InputError
from adrs.evaluation.executor import Executor, inspect_source
from adrs.evaluation.outcome import Evaluation, Listed, Status
from adrs.evaluation.protocol import SPLITS, Split
from adrs.problem import Objective, Problem
from adrs.yaml_tree import read_text, suggest

T = TypeVar("T")
Progress = Callable[[int, int], None]  # evaluations done, evaluations in all


@dataclass(frozen=True)
class WorkloadScore:
    """One workload's evaluation; `score` is None unless its status is `ok`."""

    workload: Listed
    evaluation: Evaluation
    score: float | None
    bound: float | None


@dataclass(frozen=True)
class PolicyScore:
    """A policy on several workloads. There is no score where one of them failed."""

    status: Status  # the first failure's, in the order of the workloads
    score: float | None = None
    bound: float | None = None
    workloads: tuple[WorkloadScore, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)  # means over the workloads; empty unless `ok`
    error: str = ""
    failed: str = ""  # name of the workload whose failure this is

    @property
    def message(self) -> str:
        """The failure, with the workload that it came on."""
        return f"{self.failed}: {self.error}" if self.failed else self.error

    @property
    def seconds(self) -> float:
        """Wall seconds that the policy's calls took; in a timed problem, the seconds that were priced."""
        return sum(result.evaluation.seconds for result in self.workloads)


async def score_policy(
    executor: Executor,
    problem: Problem,
    source: str,
    split: Split,
    salt: int = 0,
    workloads: Sequence[Listed] | None = None,
    *,
    repeat: int = 0,
    done: Callable[[], None] | None = None,
) -> PolicyScore:
    """Evaluate a policy on every workload of a split, as many at a time as the executor has slots.

    `workloads` restricts it to some, `repeat` asks for fresh evaluations, `done` is called after each one.

    Raises:
        HouseError: the evaluator or the sandbox failed, or the evaluator does not report the objective's metric.
    """
    if workloads is None:
        workloads = await executor.workloads(split, salt)
    if not workloads:
        raise HouseError("evaluator_error", f"the evaluator of {problem.name} lists no {split} workloads")
    inspection = await inspect_source(executor, source, problem.limits)
    if inspection.status != "ok":
        return PolicyScore("invalid", error=inspection.error)

    async def evaluate(workload: Listed) -> WorkloadScore:
        evaluation = await executor.submit(source, workload, problem.limits, repeat)
        if done is not None:
            done()
        return _scored(problem.objective, workload, evaluation)

    return _combined(problem.objective, await gather(evaluate(workload) for workload in workloads))


async def score_file(
    executor: Executor, problem: Problem, path: Path, split: str = "train", progress: Progress | None = None
) -> PolicyScore:
    """Score the policy in a file on train or validation.

    Raises:
        InputError: the file cannot be read, or the split is neither; the test split belongs to `adrs verify`.
    """
    open_splits = [name for name in SPLITS if name != "test"]
    if split == "test":
        raise InputError("--split test: test workloads belong to `adrs verify`; use train or validation here")
    if split not in open_splits:
        raise InputError(f"--split {split}: {suggest(split, open_splits)}")
    source = read_text(path, "the policy")
    workloads = await executor.workloads(split, 0)
    done = counter(progress, len(workloads))
    return await score_policy(executor, problem, source, split, workloads=workloads, done=done)


def evaluation_json(result: PolicyScore) -> dict[str, Any]:
    """The `evaluate` document, schema 1."""
    return {
        "schema": 1,
        "status": result.status,
        "score": result.score,
        "seconds": result.seconds,
        "metrics": dict(result.metrics),
        "workloads": [
            {
                "name": one.workload.name,
                "status": one.evaluation.status,
                "score": one.score,
                "bound": one.bound,
                "metrics": dict(one.evaluation.metrics),
                "seconds": one.evaluation.seconds,
            }
            for one in result.workloads
        ],
        "error": result.message,
    }


def counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """A `done` callback that counts for a progress display."""
    finished = 0

    def done() -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, total)

    return done


async def gather(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order; when one raises, the others are cancelled and awaited before the exception goes on."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _scored(objective: Objective, workload: Listed, evaluation: Evaluation) -> WorkloadScore:
    bound = objective.bound(workload.bound)
    if evaluation.status != "ok":
        return WorkloadScore(workload, evaluation, None, bound)
    if objective.metric not in evaluation.metrics:
        hint = suggest(objective.metric, evaluation.metrics)
        raise HouseError("evaluator_error", f"the evaluator reports no metric `{objective.metric}`; {hint}")
    score = objective.score(evaluation.metrics)
    if not math.isfinite(score):
        raise HouseError("evaluator_error", f"{workload.name}: the metric `{objective.metric}` is {score}")
    return WorkloadScore(workload, evaluation, score, bound)


def _combined(objective: Objective, results: Sequence[WorkloadScore]) -> PolicyScore:
    bounds = [result.bound for result in results if result.bound is not None]
    bound = objective.combine(bounds) if len(bounds) == len(results) else None
    for result in results:
        if result.evaluation.status != "ok":
            name, error = result.workload.name, result.evaluation.error
            return PolicyScore(result.evaluation.status, None, bound, tuple(results), {}, error, name)
    scores = [result.score for result in results if result.score is not None]
    common = [name for name in results[0].evaluation.metrics if all(name in one.evaluation.metrics for one in results)]
    metrics = {name: sum(one.evaluation.metrics[name] for one in results) / len(results) for name in common}
    return PolicyScore("ok", objective.combine(scores), bound, tuple(results), metrics)
