"""A problem, a request and a journal for the tests of the LLM proposer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adrs.evaluation.interface import Interface
from adrs.proposers.base import Brief, BudgetReached, Call, Candidate, Request

INTERFACE = Interface.from_text('def pick(jobs, now):\n    """Index of the job to run next."""\n')
BRIEF = Brief(
    name="queue",
    title="One queue",
    description="Jobs wait in one queue. Pick the next.",
    interface=INTERFACE,
    objective="maximize gap_closed (mean over workloads)",
    source_kb=64,
)
SOURCE = """\
def pick(jobs, now):
    best, least = 0, 1e18
    for i, job in enumerate(jobs):
        cost = job * 2 + 0.5
        if cost < least:
            best, least = i, cost
    return best
"""
PARENT = Candidate(
    id=3,
    parents=(0,),
    source=SOURCE,
    operator="llm-edit",
    status="ok",
    score=0.5,
    scores={"calm": 0.4, "burst": 0.6},
    bounds={"calm": 0.9, "burst": 0.7},
    metrics={"latency": 12.25},
)


def request(journal: MemoryJournal | None = None, slot: int = 5, **changes: Any) -> Request:
    return replace(Request(slot=slot, seed=1, brief=BRIEF, parent=PARENT, journal=journal), **changes)


@dataclass
class Entry:
    """One row of the journal."""

    id: int
    messages: list[dict[str, str]]
    reserve_tokens: int
    reserve_usd: float
    outcome: str = "sent"
    reply: str | None = None
    tokens: tuple[int, int] = (0, 0)
    usd: float = 0.0
    message: str = ""


class MemoryJournal:
    """One slot's journal in memory; may be read from the server's thread. `room` calls may leave."""

    def __init__(self, room: int = 1000, first: int = 1) -> None:
        self.entries: list[Entry] = []
        self.room = room
        self.first = first
        self._lock = threading.Lock()

    def calls(self) -> Sequence[Call]:
        return [Call(entry.id, entry.messages, entry.reply, entry.outcome) for entry in self.entries]

    def sent(self, model: str, messages: Sequence[Mapping[str, str]], reserve_tokens: int, reserve_usd: float) -> int:
        with self._lock:
            if len(self.entries) >= self.room:
                raise BudgetReached("tokens")
            copies = [dict(message) for message in messages]
            self.entries.append(Entry(self.first + len(self.entries), copies, reserve_tokens, reserve_usd))
            return self.entries[-1].id

    def received(self, call: int, reply: str, prompt_tokens: int, reply_tokens: int, usd: float) -> None:
        entry = self._open(call)
        entry.outcome, entry.reply, entry.tokens, entry.usd = "ok", reply, (prompt_tokens, reply_tokens), usd

    def failed(self, call: int, outcome: str, message: str) -> None:
        entry = self._open(call)
        entry.outcome, entry.message = outcome, message

    def _open(self, call: int) -> Entry:
        entry = next(entry for entry in self.entries if entry.id == call)
        assert entry.outcome == "sent", f"call {call} ended twice"
        return entry

    @property
    def outcomes(self) -> list[str]:
        return [entry.outcome for entry in self.entries]
