"""A finished run of the problem that costs nothing, in a real archive."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.fakes import FakeExecutor, evolution, new_archive, workloads

from adrs.archive.locate import ARCHIVE
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.outcome import Limits
from adrs.problem import Budget, Objective
from adrs.winner import choose_winner


def finished_run(directory: Path, candidates: int = 60, seed: int = 3, winner: bool = True) -> Path:
    """Directory of a run as a session leaves it, its winner chosen on validation."""
    directory.mkdir(parents=True)
    archive = new_archive(directory / ARCHIVE, seed=seed)

    async def session() -> None:
        reason = await evolution(archive, Budget(candidates=candidates)).run()
        if winner:
            cascade = Cascade(archive, FakeExecutor(), Objective("nearness"), Limits(), archive.workloads("train"))
            await choose_winner(archive, cascade, workloads("validation"))
        archive.event("stopped", reason=reason, seconds=1.0)

    asyncio.run(session())
    archive.close()
    return directory
