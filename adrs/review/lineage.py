"""How a candidate came about: the steps from the seed, and what each of them gained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adrs.archive.reader import ArchiveReader
from adrs.proposers.base import IMPORT, Candidate
from adrs.review.show import chosen

NOTE_WIDTH = 200


@dataclass(frozen=True)
class Step:
    """One candidate on the way. `gain` is over its first parent, `mates` are the further parents of a crossover."""

    id: int
    parent: int | None
    mates: tuple[int, ...]
    operator: str
    status: str
    score: float | None
    gain: float | None
    note: str


@dataclass(frozen=True)
class Lineage:
    """From the seed to a candidate, by first parents."""

    run: Path
    id: int
    steps: tuple[Step, ...]

    def json(self) -> dict[str, Any]:
        return {"schema": 1, **asdict(self), "run": str(self.run)}


def lineage(run: Path, archive: ArchiveReader, id: int | None = None) -> Lineage:
    """The ancestry of a candidate; by default of the run's winner. One that a warm start brought has none.

    Raises:
        InputError: no such candidate was committed.
    """
    candidate = archive.candidate(chosen(archive, id))
    last = candidate.id
    steps = [_step(candidate)]
    while candidate.parents and candidate.operator != IMPORT:
        candidate = archive.candidate(candidate.parents[0])
        steps.append(_step(candidate))
    return Lineage(run, last, tuple(reversed(steps)))


def _step(candidate: Candidate) -> Step:
    imported = candidate.operator == IMPORT
    return Step(
        id=candidate.id,
        parent=candidate.parents[0] if candidate.parents and not imported else None,
        mates=() if imported else candidate.parents[1:],
        operator=candidate.operator,
        status=candidate.status,
        score=candidate.score,
        gain=None if imported else _gain(candidate.score, candidate.parent_score),
        note=note_text(candidate.notes),
    )


def _gain(score: float | None, base: float | None) -> float | None:
    return None if score is None or base is None else score - base


def note_text(notes: Mapping[str, Any]) -> str:
    """What a proposer recorded about its change, in one line: its summary, its changes, else all of it."""
    if "summary" in notes:
        text = str(notes["summary"])
    elif "changes" in notes:
        text = "; ".join(str(change["note"]) for change in notes["changes"])
    else:
        text = "; ".join(f"{name}: {value}" for name, value in notes.items())
    line = " ".join(text.split())
    return line if len(line) <= NOTE_WIDTH else line[: NOTE_WIDTH - 3] + "..."
