"""How a run stands, and all runs in a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from adrs.archive import queries
from adrs.archive.locate import ARCHIVE, RUNS, list_runs
from adrs.archive.lock import holder
from adrs.archive.queries import EvaluationTotals
from adrs.archive.reader import ArchiveReader
from adrs.archive.records import LlmTotals
from adrs.errors import InputError
from adrs.proposers.base import Candidate
from adrs.winner import Winner, leader

State = Literal["running", "stopped", "killed"]


@dataclass(frozen=True)
class Status:
    """A run as its archive has it. Scores are on train, which the search saw."""

    run: Path
    problem: str
    state: State
    stopped: str | None  # the budget that was reached, `interrupted`, or `error: ...`
    process: int | None  # at work on the run
    created: str
    last_commit: str | None
    proposer: str
    strategy: str
    sandbox: str
    seed: int
    seed_score: float | None
    best: Winner | None
    bound: float | None
    candidates: int  # committed, the seed not counted
    pending: int
    outcomes: dict[str, int]  # the seed included
    evaluations: EvaluationTotals
    llm: LlmTotals
    verified: dict[str, Any] | None  # the last result of `verify`

    def json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self), "run": str(self.run)}


@dataclass(frozen=True)
class RunLine:
    """One run in the table of runs; `error` tells why nothing else is known."""

    run: Path
    problem: str | None = None
    state: State | None = None
    created: str | None = None
    candidates: int | None = None
    seed_score: float | None = None
    best: Winner | None = None
    error: str | None = None

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "run": str(self.run)}


@dataclass(frozen=True)
class Overview:
    """The runs under a directory, the one last written to first."""

    runs: tuple[RunLine, ...]

    def json(self) -> dict[str, Any]:
        return {"schema": 1, "runs": [line.json() for line in self.runs]}


def status(run: Path, archive: ArchiveReader) -> Status:
    """How a run stands."""
    info, process, reason = archive.info, holder(run), queries.stop_reason(archive)
    return Status(
        run=run,
        problem=info.problem,
        state=_state(process, reason),
        stopped=None if process else reason,
        process=process,
        created=info.created,
        last_commit=queries.last_commit(archive),
        proposer=proposer_text(info.proposer),
        strategy=info.strategy,
        sandbox=info.sandbox,
        seed=info.seed,
        seed_score=seed_score(archive),
        best=leader(archive),
        bound=queries.train_bound(archive),
        candidates=max(0, archive.count_committed() - 1),
        pending=queries.count_pending(archive),
        outcomes=archive.outcomes(),
        evaluations=queries.evaluation_totals(archive),
        llm=archive.llm_totals(),
        verified=archive.last_event("verified"),
    )


def overview(root: Path = RUNS) -> Overview:
    """All runs under a directory. One that cannot be read is a line with the reason."""
    return Overview(tuple(_line(run) for run in list_runs(root)))


def seed_score(archive: ArchiveReader) -> float | None:
    """The seed's train score, None before it was committed."""
    seed = seed_candidate(archive)
    return None if seed is None else seed.score


def seed_candidate(archive: ArchiveReader) -> Candidate | None:
    return archive.candidate(0) if archive.count_committed() else None


def proposer_text(spec: Mapping[str, Any]) -> str:
    """The stored proposer in words."""
    details = [str(value) for key, value in spec.items() if key != "kind" and value is not None]
    return " ".join([str(spec["kind"]), *details])


def _line(run: Path) -> RunLine:
    try:
        archive = ArchiveReader.read(run / ARCHIVE)
        try:
            return RunLine(
                run=run,
                problem=archive.info.problem,
                state=_state(holder(run), queries.stop_reason(archive)),
                created=archive.info.created,
                candidates=max(0, archive.count_committed() - 1),
                seed_score=seed_score(archive),
                best=leader(archive),
            )
        finally:
            archive.close()
    except (InputError, sqlite3.DatabaseError) as error:
        return RunLine(run, error=str(error))


def _state(process: int | None, reason: str | None) -> State:
    if process is not None:
        return "running"
    return "killed" if reason is None else "stopped"
