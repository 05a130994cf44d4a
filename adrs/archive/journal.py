"""The journal of LLM calls: recorded when sent, and the reply when received, before anything is done with it."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping, Sequence

from adrs.archive.records import LlmTotals
from adrs.archive.store import Archive, now
from adrs.problem import Budget
from adrs.proposers.base import BudgetReached, Call


class CallJournal:
    """All LLM calls of a run: what they cost so far, and whether another one may leave."""

    def __init__(self, archive: Archive, budget: Budget) -> None:
        self.archive = archive
        self.budget = budget
        self.totals = archive.llm_totals()

    def slot(self, slot: int) -> SlotJournal:
        return SlotJournal(self, slot)

    def reserve(self, tokens: int, usd: float) -> None:
        """Count a call before it leaves, with the most that it can cost. Raises `BudgetReached`."""
        after = LlmTotals(self.totals.calls + 1, self.totals.tokens + tokens, self.totals.usd + usd)
        if self.budget.tokens is not None and after.tokens > self.budget.tokens:
            raise BudgetReached("tokens")
        if self.budget.usd is not None and after.usd > self.budget.usd:
            raise BudgetReached("usd")
        self.totals = after

    def settle(self, tokens: int, usd: float) -> None:
        """Add the difference between what a call cost and what was reserved for it."""
        self.totals = LlmTotals(self.totals.calls, self.totals.tokens + tokens, self.totals.usd + usd)


class SlotJournal:
    """The calls of one slot; satisfies `adrs.proposers.base.Journal`."""

    def __init__(self, run: CallJournal, slot: int) -> None:
        self.run = run
        self.slot = slot
        self._flying: dict[int, tuple[float, int, float]] = {}  # call -> (sent at, tokens and usd reserved)

    def calls(self) -> Sequence[Call]:
        rows = self.run.archive.db.execute(
            "SELECT id, messages, reply, outcome FROM llm_call WHERE slot=? ORDER BY id", (self.slot,)
        )
        return [Call(row[0], unpack(row[1]), row[2], row[3]) for row in rows]

    def sent(self, model: str, messages: Sequence[Mapping[str, str]], reserve_tokens: int, reserve_usd: float) -> int:
        self.run.reserve(reserve_tokens, reserve_usd)
        with self.run.archive.transaction(paid=True) as db:
            cursor = db.execute(
                "INSERT INTO llm_call (slot, model, messages, sent, reserve_tokens, reserve_usd, outcome, message)"
                " VALUES (?,?,?,?,?,?,'sent','')",
                (self.slot, model, pack(messages), now(), reserve_tokens, reserve_usd),
            )
        call = cursor.lastrowid
        assert call is not None
        self._flying[call] = (time.monotonic(), reserve_tokens, reserve_usd)
        return call

    def received(self, call: int, reply: str, prompt_tokens: int, reply_tokens: int, usd: float) -> None:
        began, reserved_tokens, reserved_usd = self._flying.pop(call)
        with self.run.archive.transaction(paid=True) as db:
            db.execute(
                "UPDATE llm_call SET outcome='ok', received=?, seconds=?, reply=?, prompt_tokens=?, reply_tokens=?,"
                " usd=? WHERE id=?",
                (now(), time.monotonic() - began, reply, prompt_tokens, reply_tokens, usd, call),
            )
        self.run.settle(prompt_tokens + reply_tokens - reserved_tokens, usd - reserved_usd)

    def failed(self, call: int, outcome: str, message: str) -> None:
        """A refused call (an HTTP status) cost nothing; one that timed out or broke off keeps its reserve."""
        began, reserved_tokens, reserved_usd = self._flying.pop(call)
        refused = outcome.startswith("http_")
        with self.run.archive.transaction(paid=True) as db:
            db.execute(
                "UPDATE llm_call SET outcome=?, message=?, received=?, seconds=? WHERE id=?",
                (outcome, message[:2000], now(), time.monotonic() - began, call),
            )
            if refused:
                db.execute("UPDATE llm_call SET prompt_tokens=0, reply_tokens=0, usd=0 WHERE id=?", (call,))
        if refused:
            self.run.settle(-reserved_tokens, -reserved_usd)


def pack(messages: Sequence[Mapping[str, str]]) -> bytes:
    return zlib.compress(json.dumps(list(messages), separators=(",", ":")).encode())


def unpack(blob: bytes) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = json.loads(zlib.decompress(blob))
    return messages
