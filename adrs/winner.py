"""Which candidate a run proposes as its winner.

The best on train is the luckiest of many. The few best and the seed are scored on the validation workloads, and those
pick. The winner's validation score is still biased upwards (it was chosen by it): only `verify` gives the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass

from adrs.archive.reader import ArchiveReader
from adrs.archive.store import Archive
from adrs.evaluation.cascade import Cascade
from adrs.evaluation.outcome import Listed
from adrs.proposers.base import Candidate

FINALISTS = 10
SPACING = 0.03  # between finalists, as a share of the best one's gain over the seed
RANKED = 1000  # of the best on train among which they are sought


@dataclass(frozen=True)
class Winner:
    """`validation` is None while the finalists were not scored on validation workloads."""

    id: int
    score: float  # on train
    validation: float | None = None
    seed_validation: float | None = None


async def choose_winner(archive: Archive, cascade: Cascade, validation: list[Listed]) -> Winner | None:
    """Score the finalists on validation and record the choice; see `leader` for what it is without one."""
    archive.add_workloads(validation)
    if not archive.count_committed() or not validation:
        return leader(archive)
    seed = archive.candidate(0)
    stood = finalists(archive, seed)
    scores = await asyncio.gather(*(_validate(archive, cascade, id, validation) for id, _, _ in stood))
    validated = {id: score for (id, _, _), score in zip(stood, scores, strict=True) if score is not None}
    if not validated:
        return leader(archive)
    id, train, _ = min((f for f in stood if f[0] in validated), key=lambda f: (-validated[f[0]], f[2], f[0]))
    winner = Winner(id, train, validated[id], validated.get(seed.id))
    archive.event("winner", committed=archive.count_committed(), **asdict(winner))
    return winner


def finalists(archive: ArchiveReader, seed: Candidate) -> list[tuple[int, float, int]]:
    """Whom validation picks from, as (id, train score, code size): the best on train above the seed, and the seed.

    Neighbours in score are mostly relatives that have learned the same of train by heart, so that all would fail
    together: each finalist gains visibly less on train than the one before. Of equal scores the least code stands.
    """
    assert seed.score is not None, "a run goes on only with a seed that has a score"
    ranked = [candidate for candidate in archive.top(RANKED) if candidate[1] > seed.score]
    chosen = ranked[:1]
    for id, score, size in ranked:
        if len(chosen) < FINALISTS and chosen[-1][1] - score >= SPACING * (ranked[0][1] - seed.score):
            chosen.append((id, score, size))
    return [*chosen, (seed.id, seed.score, seed.code_size)]


async def _validate(archive: Archive, cascade: Cascade, id: int, validation: list[Listed]) -> float | None:
    """Validation score of a candidate, None when it fails on a workload."""
    source, code_hash = archive.candidate(id).source, archive.code_hash(id)
    assert code_hash is not None
    evaluations = await asyncio.gather(*(cascade.evaluate(code_hash, source, workload) for workload in validation))
    if cascade.timed:  # it may be chosen for a lucky measurement
        again = (cascade.measure_again(code_hash, source, workload) for workload in validation)
        evaluations = await asyncio.gather(*again)
    if any(evaluation.status != "ok" for evaluation in evaluations):
        return None
    return archive.objective.combine([archive.objective.score(evaluation.metrics) for evaluation in evaluations])


def leader(archive: ArchiveReader) -> Winner | None:
    """The winner chosen on validation if nothing was committed since, else the best on train."""
    chosen = archive.last_event("winner")
    if chosen is not None and chosen["committed"] == archive.count_committed():
        del chosen["committed"]
        return Winner(**chosen)
    top = archive.top(1)
    return Winner(top[0][0], top[0][1]) if top else None
