"""Which candidate a run proposes as its winner.

The best on train is the luckiest of many. The few best are scored on the validation workloads, and those pick. The
winner's validation score is still biased upwards (it was chosen by it): only `verify` gives the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from adrs.archive.reader import ArchiveReader
from adrs.archive.store import Archive
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.outcome import Listed

FINALISTS = 5


@dataclass(frozen=True)
class Winner:
    """`validation` is None while the finalists were not scored on validation workloads."""

    id: int
    score: float  # on train
    validation: float | None = None


async def choose_winner(archive: Archive, cascade: Cascade, validation: list[Listed]) -> Winner | None:
    """Score the finalists on validation and record the choice. None when the run has no scored candidate."""
    archive.add_workloads(validation)
    finalists = archive.top(FINALISTS)
    if not finalists or not validation:
        return leader(archive)
    scores = await asyncio.gather(*(_validate(archive, cascade, id, validation) for id, _, _ in finalists))
    ranked = [
        (-score, size, id, train)
        for score, (id, train, size) in zip(scores, finalists, strict=True)
        if score is not None
    ]
    if not ranked:
        return leader(archive)
    negated, _, id, train = min(ranked)
    archive.event("winner", id=id, score=train, validation=-negated, committed=archive.count_committed())
    return Winner(id, train, -negated)


async def _validate(archive: Archive, cascade: Cascade, id: int, validation: list[Listed]) -> float | None:
    """Validation score of a candidate, None when it fails on a workload."""
    source, code_hash = archive.candidate(id).source, archive.code_hash(id)
    assert code_hash is not None
    evaluations = await asyncio.gather(*(cascade.evaluate(code_hash, source, workload) for workload in validation))
    if any(evaluation.status != "ok" for evaluation in evaluations):
        return None
    return archive.objective.combine([archive.objective.score(evaluation.metrics) for evaluation in evaluations])


def leader(archive: ArchiveReader) -> Winner | None:
    """The winner chosen on validation if nothing was committed since, else the best on train."""
    chosen = archive.last_event("winner")
    if chosen is not None and chosen["committed"] == archive.count_committed():
        return Winner(chosen["id"], chosen["score"], chosen["validation"])
    top = archive.top(1)
    return Winner(top[0][0], top[0][1]) if top else None
