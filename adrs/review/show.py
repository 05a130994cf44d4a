"""Everything about one candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adrs.archive import queries
from adrs.archive.queries import LlmCall
from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError
from adrs.evaluation.outcome import Evaluation
from adrs.proposers.base import Candidate
from adrs.winner import leader


@dataclass(frozen=True)
class WorkloadResult:
    """One train or validation workload; `seed` is the seed's score on it."""

    split: str
    name: str
    regime: str
    status: str
    score: float | None
    seed: float | None
    bound: float | None
    seconds: float
    error: str


@dataclass(frozen=True)
class Shown:
    """A committed candidate. `source` is empty where no text came of the slot."""

    run: Path
    id: int
    status: str
    score: float | None
    parent_score: float | None
    parents: tuple[int, ...]
    operator: str
    notes: Mapping[str, Any]
    error: str
    duplicate_of: int | None
    committed_at: str
    code_size: int
    metrics: Mapping[str, float]  # means over train
    workloads: tuple[WorkloadResult, ...]
    calls: tuple[LlmCall, ...]
    source: str

    def json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self), "run": str(self.run)}


def show(run: Path, archive: ArchiveReader, id: int | None = None) -> Shown:
    """A candidate by its id; by default the run's winner.

    Raises:
        InputError: no such candidate was committed.
    """
    candidate = archive.candidate(chosen(archive, id))
    ending = queries.ending(archive, candidate.id)
    return Shown(
        run=run,
        id=candidate.id,
        status=candidate.status,
        score=candidate.score,
        parent_score=candidate.parent_score,
        parents=candidate.parents,
        operator=candidate.operator,
        notes=candidate.notes,
        error=candidate.error,
        duplicate_of=ending.duplicate_of,
        committed_at=ending.committed_at,
        code_size=candidate.code_size,
        metrics=candidate.metrics,
        workloads=tuple(_workloads(archive, candidate)),
        calls=tuple(queries.llm_calls(archive, candidate.id)),
        source=candidate.source,
    )


def chosen(archive: ArchiveReader, id: int | None) -> int:
    """`id`, or the run's winner. Raises InputError when the run has none yet."""
    if id is not None:
        return id
    winner = leader(archive)
    if winner is None:
        raise InputError("the run has no scored candidate yet; `adrs status` tells how it stands")
    return winner.id


def _workloads(archive: ArchiveReader, candidate: Candidate) -> list[WorkloadResult]:
    results = []
    for split in ("train", "validation"):
        seeds = {listed.hash: _score(archive, one) for listed, one in queries.evaluations(archive, 0, split)}
        for listed, evaluation in queries.evaluations(archive, candidate.id, split):
            results.append(
                WorkloadResult(
                    split=split,
                    name=listed.name,
                    regime=listed.regime,
                    status=evaluation.status,
                    score=_score(archive, evaluation),
                    seed=seeds.get(listed.hash),
                    bound=archive.objective.bound(listed.bound),
                    seconds=evaluation.seconds,
                    error=evaluation.error,
                )
            )
    return results


def _score(archive: ArchiveReader, evaluation: Evaluation) -> float | None:
    return archive.objective.score(evaluation.metrics) if evaluation.status == "ok" else None
