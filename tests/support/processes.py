"""Processes of a run, tracked by (pid, start time) so that a reused pid is not mistaken for a survivor."""

from __future__ import annotations

import time
from pathlib import Path

Process = tuple[int, int]  # pid, start time in clock ticks


def _table() -> dict[int, tuple[int, int, str]]:
    """pid -> (parent, start time, state) of all processes."""
    table = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            table[int(entry.name)] = (int(fields[1]), int(fields[19]), fields[0])
    return table


def family(pid: int) -> set[Process]:
    """A process and all its descendants."""
    table = _table()
    found: set[int] = {pid} & table.keys()
    while more := {child for child, (parent, _, _) in table.items() if parent in found} - found:
        found |= more
    return {(member, table[member][1]) for member in found}


def survivors(tracked: set[Process], seconds: float) -> set[Process]:
    """Those of the tracked that still run after at most so many seconds; zombies are dead."""
    deadline = time.monotonic() + seconds
    while True:
        table = _table()
        alive = {
            (pid, start) for pid, start in tracked if pid in table and table[pid][1] == start and table[pid][2] != "Z"
        }
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)
