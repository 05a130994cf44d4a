"""The log file of a run: one line a commit, for people who look later."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from adrs.evolution import Progress


class RunLog:
    """Appends to a file. A full disk costs log lines, never the run: the archive is what counts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, line: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now().isoformat(sep=' ', timespec='seconds')} {line}\n")
        except OSError as error:
            print(f"{self.path}: {error.strerror}", file=sys.stderr)

    def commit(self, progress: Progress) -> None:
        candidate = progress.candidate
        score = "" if candidate.score is None else f" {candidate.score:.6g}"
        best = " best" if candidate.id == progress.best.id else ""
        self.note(f"{candidate.id} {candidate.status}{score} {candidate.operator}{best}{_indented(candidate.error)}")


def _indented(error: str) -> str:
    return "".join(f"\n    {line}" for line in error.splitlines())
