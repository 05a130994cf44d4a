"""The best candidates of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adrs.archive.queries import train_bound
from adrs.archive.reader import ArchiveReader
from adrs.review.status import seed_score
from adrs.winner import leader


@dataclass(frozen=True)
class Ranked:
    """A candidate in its place. `gain` is over the seed."""

    id: int
    score: float
    gain: float | None
    code_size: int  # nodes of the syntax tree
    operator: str
    parents: tuple[int, ...]


@dataclass(frozen=True)
class Top:
    """The best on train; `winner` is the one that validation chose among them, if it did."""

    run: Path
    problem: str
    seed_score: float | None
    bound: float | None
    winner: int | None
    candidates: tuple[Ranked, ...]

    def json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self), "run": str(self.run)}


def top(run: Path, archive: ArchiveReader, count: int = 10) -> Top:
    """The `count` best by train score; of equals the smaller code, then the older."""
    base, winner = seed_score(archive), leader(archive)
    return Top(
        run=run,
        problem=archive.info.problem,
        seed_score=base,
        bound=train_bound(archive),
        winner=None if winner is None else winner.id,
        candidates=tuple(_ranked(archive, base, *row) for row in archive.top(count)),
    )


def _ranked(archive: ArchiveReader, base: float | None, id: int, score: float, code_size: int) -> Ranked:
    candidate = archive.candidate(id)
    gain = None if base is None else score - base
    return Ranked(id, score, gain, code_size, candidate.operator, candidate.parents)
