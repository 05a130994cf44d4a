"""The proposer that needs no LLM and no key: typed program transformation on the syntax tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from adrs.proposers.base import Candidate, Proposal, Request
from adrs.proposers.offline.adaptation import Adaptation
from adrs.proposers.offline.mutate import Result, Task
from adrs.proposers.offline.operators import OPERATORS
from adrs.proposers.offline.pool import Pool


class OfflineProposer:
    """Mutates and crosses policies in worker processes; see `docs/architecture.md` and `operators/`."""

    name = "offline"
    order: Literal["slot", "arrival"] = "slot"

    def __init__(self, workers: int = 2, lag: int = 4) -> None:
        """`workers` only sets the speed; `lag` is part of what a seeded run depends on."""
        self.lag = lag
        self._adaptation = Adaptation()
        self._pool = Pool(workers)

    def describe(self) -> str:
        return f"offline: program transformation with {len(OPERATORS)} operators, no LLM"

    def observe(self, candidate: Candidate) -> None:
        self._adaptation.observe(candidate)

    def hints(self) -> Mapping[str, Any]:
        return self._adaptation.hints()

    async def propose(self, request: Request) -> Proposal:
        return _proposal(await self._pool.run(task_of(request)))

    async def close(self) -> None:
        await self._pool.close()


def task_of(request: Request) -> Task:
    """What a worker needs of a request."""
    mates = dict.fromkeys(mate.source for mate in (*request.mates, *request.inspirations))
    return Task(
        source=request.parent.source,
        mates=tuple(source for source in mates if source != request.parent.source),
        interface=request.brief.interface,
        source_kb=request.brief.source_kb,
        seed=request.rng().getrandbits(63),
        weights=dict(request.hints.get("weights", {})),
        steps=dict(request.hints.get("steps", {})),
    )


def _proposal(result: Result) -> Proposal:
    if result.source is None:
        return Proposal("void", None, "none", error=result.error)
    operator = "+".join(change.operator for change in result.changes)
    return Proposal("ok", result.source, operator, notes={"changes": [asdict(change) for change in result.changes]})
