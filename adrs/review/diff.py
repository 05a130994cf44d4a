"""The change from one source to another, as a unified diff that `patch` applies."""

from __future__ import annotations

import difflib
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError
from adrs.proposers.base import Candidate
from adrs.review.show import chosen

SEED = 0


@dataclass(frozen=True)
class Diff:
    """`diff` is empty when the texts are equal."""

    run: Path
    id: int
    against: int  # 0 is the seed
    score: float | None
    against_score: float | None
    added: int  # lines
    removed: int
    diff: str

    def json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self), "run": str(self.run)}


def diff(run: Path, archive: ArchiveReader, id: int | None = None, against: str = "seed") -> Diff:
    """From `against` (`seed`, `parent` or an id) to a candidate, by default the run's winner.

    Raises:
        InputError: there is no such candidate, or one that has no source.
    """
    new = with_source(archive, chosen(archive, id))
    old = with_source(archive, _resolve(new, against))
    lines = list(difflib.unified_diff(_lines(old.source), _lines(new.source), _label(old), _label(new)))
    return Diff(
        run=run,
        id=new.id,
        against=old.id,
        score=new.score,
        against_score=old.score,
        added=sum(line.startswith("+") for line in lines[2:]),
        removed=sum(line.startswith("-") for line in lines[2:]),
        diff="".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines),
    )


def _resolve(candidate: Candidate, against: str) -> int:
    if against == "seed":
        return SEED
    if against == "parent":
        return candidate.parents[0] if candidate.parents else SEED
    if not against.isascii() or not against.isdigit() or len(against) > 18:
        raise InputError(f"--against {against}: expected seed, parent or a candidate's id")
    return int(against)


def with_source(archive: ArchiveReader, id: int) -> Candidate:
    """A candidate that has a text. Raises InputError when it has none, or is unknown."""
    candidate = archive.candidate(id)
    if not candidate.source:
        raise InputError(f"candidate {id} has no source: it ended as {candidate.status}")
    return candidate


def _label(candidate: Candidate) -> str:
    return "seed" if candidate.id == SEED else f"candidate-{candidate.id}"


def _lines(text: str) -> list[str]:
    """Lines as `patch` sees them: `str.splitlines` also cuts at form feeds and the like."""
    return list(io.StringIO(text, newline="\n"))
