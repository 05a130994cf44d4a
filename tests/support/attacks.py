"""Hostile answers of a domain: one policy a file, its first line `# expect: STATUS...` the end it must come to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation
from adrs.evaluation.score import gather
from adrs.problem import Problem


def load_attacks(folder: Path) -> dict[str, str]:
    """Sources of the `*.py` files of a folder by stem, in order; there must be some."""
    attacks = {path.stem: path.read_text() for path in sorted(folder.glob("*.py"))}
    assert attacks, f"no attacks in {folder}"
    return attacks


def expected_ends(source: str) -> list[str]:
    """The statuses that an attack may end with."""
    first = source.splitlines()[0]
    assert first.startswith("# expect: "), first
    return first.removeprefix("# expect: ").split()


def run_attacks(problem: Problem, attacks: Mapping[str, str]) -> dict[str, Evaluation]:
    """Each policy behind the real wall on the problem's first train workload, under the problem's limits."""

    async def run() -> list[Evaluation]:
        executor = LocalExecutor(problem.evaluator, jobs=2, timed=problem.timed)
        try:
            workload = (await executor.workloads("train"))[0]
            return await gather(executor.submit(source, workload, problem.limits) for source in attacks.values())
        finally:
            await executor.close()

    return dict(zip(attacks, asyncio.run(run()), strict=True))
