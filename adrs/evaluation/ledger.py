"""How often the test split of a problem version was opened at this user's machine.

Each look at held-out workloads that is followed by another candidate makes the next look a little less held-out; the
count is printed with every result. One JSON line an opening, in `$XDG_DATA_HOME/adrs/openings.jsonl`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Opening:
    """`count` includes this opening; it is None, with the reason in `note`, where the ledger cannot be written."""

    count: int | None
    note: str = ""


def ledger_path() -> Path:
    """The ledger's file, by the XDG base directory specification (a relative XDG_DATA_HOME is ignored).

    Raises RuntimeError for a user without a home.
    """
    home = Path(os.environ.get("XDG_DATA_HOME", ""))
    base = home if home.is_absolute() else Path("~/.local/share").expanduser()
    return base / "adrs" / "openings.jsonl"


def record_opening(problem: str, fingerprint: str, salt: int) -> Opening:
    """Note that a problem version (its name and its evaluator's fingerprint) is opened, and count its openings."""
    entry = {"problem": problem, "fingerprint": fingerprint, "salt": salt, "time": datetime.now(UTC).isoformat()}
    try:
        path = ledger_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            data = file.read()
            torn = bool(data) and not data.endswith(b"\n")  # a writer was killed inside of its line
            file.write((b"\n" if torn else b"") + json.dumps(entry).encode() + b"\n")
    except (OSError, RuntimeError) as error:
        return Opening(None, f"openings are not counted: {error}")
    earlier = sum((old.get("problem"), old.get("fingerprint")) == (problem, fingerprint) for old in _entries(data))
    return Opening(earlier + 1)


def _entries(data: bytes) -> Iterator[dict[str, object]]:
    for line in data.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
