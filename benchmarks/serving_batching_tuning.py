"""How the constants of serving_batching's published schedulers were chosen: the best of a few values on train.

Run `python benchmarks/serving_batching_tuning.py`; it takes some minutes. The files in `seeds/serving_batching` hold
the values that it prints a star at.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.score import gather
from adrs.problem import Problem
from adrs.problem_file import load_problem

SEEDS = Path(__file__).parents[1] / "seeds" / "serving_batching"
BUDGETS = (256, 512, 768, 1024, 1536, 2048, 4096)
SWEEPS: dict[str, tuple[str, Sequence[int]]] = {
    "vllm_v1": ("BUDGET", BUDGETS),
    "sarathi_serve": ("BUDGET", BUDGETS),
    "shortest_first": ("BUDGET", BUDGETS),
    "virtual_token_counter": ("BUDGET", BUDGETS),
    "vllm_v0": ("TOKENS", (512, 2048, 8192)),
    "orca": ("MOST", (8, 16, 32, 64, 128, 256)),
}


def with_constant(source: str, name: str, value: int) -> str:
    """The policy with another value of a constant."""
    changed, count = re.subn(rf"(?m)^{name} = \d+", f"{name} = {value}", source)
    assert count == 1, name
    return changed


async def main() -> None:
    problem = load_problem("serving_batching")
    executor = LocalExecutor(problem.evaluator, jobs=2)
    try:
        for policy, (name, values) in SWEEPS.items():
            source = (SEEDS / f"{policy}.py").read_text()
            scores = [await score(executor, problem, with_constant(source, name, value)) for value in values]
            best = scores.index(max(scores))
            shown = [f"{value}{'*' * (place == best)} {scores[place]:.4f}" for place, value in enumerate(values)]
            print(f"{policy:22}{name:8}{'   '.join(shown)}", flush=True)
    finally:
        await executor.close()


async def score(executor: LocalExecutor, problem: Problem, source: str) -> float:
    """Mean over the train workloads."""
    workloads = await executor.workloads("train")
    evaluations = await gather(executor.submit(source, workload, problem.limits) for workload in workloads)
    failed = [evaluation.error for evaluation in evaluations if evaluation.status != "ok"]
    if failed:
        raise SystemExit(failed[0])
    return sum(evaluation.metrics[problem.objective.metric] for evaluation in evaluations) / len(evaluations)


if __name__ == "__main__":
    asyncio.run(main())
