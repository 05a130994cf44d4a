"""The conversation of a slot: ask, apply, ask once more with the reason, give up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from adrs.proposers.base import Call, Candidate, Journal, Proposal, Request
from adrs.proposers.edits import EditError, applied, without_thinking
from adrs.proposers.llm import prompt
from adrs.proposers.llm.breaker import Breaker
from adrs.proposers.llm.calls import Answer, Caller, estimated_tokens
from adrs.proposers.llm.client import CallFailed
from adrs.proposers.llm.config import LlmConfig
from adrs.proposers.llm.directions import direction
from adrs.proposers.llm.pricing import AS_OF, price_of
from adrs.proposers.llm.retry import RetryPolicy

TURNS = 2  # the first reply, and one correction
_SUMMARY_CHARS = 300


class LlmProposer:
    """Children written by an LLM; satisfies `adrs.proposers.base.Proposer`.

    Learns nothing between slots: what the model is told is in the request. Commits by arrival, because in slot order
    one slow call would hold up all others.
    """

    name = "openai"
    order: Literal["slot", "arrival"] = "arrival"

    def __init__(
        self,
        config: LlmConfig,
        retry: RetryPolicy | None = None,
        breaker: Breaker | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.config = config
        self.lag = config.concurrency
        self._caller = Caller(config, retry or RetryPolicy(), breaker or Breaker(), sleep)

    def describe(self) -> str:
        known = price_of(self.config)
        source = f"table of {AS_OF}" if self.config.input_usd_per_mtok is None else "configured"
        cost = f"${known.input:g} in, ${known.output:g} out per million tokens ({source})" if known else "price unknown"
        return f"openai: {self.config.model} at {self.config.base_url}, {self.lag} calls in flight, {cost}"

    def observe(self, candidate: Candidate) -> None:
        """Nothing is learned here."""

    def hints(self) -> Mapping[str, Any]:
        return {}

    async def propose(self, request: Request) -> Proposal:
        """One candidate, from at most two replies.

        Raises:
            ProposerError: the endpoint refuses the key or the model, or nothing succeeds.
            BudgetReached: no further call may leave.
        """
        slot = _Slot(request, request.journal or _Unrecorded())
        messages = slot.first_prompt(self.config)
        reason = ""
        for turn in range(TURNS):
            try:
                reply = await self._reply(slot, turn, messages)
            except CallFailed as failure:
                return slot.without_reply(reason, failure)
            try:
                result = applied(request.parent.source, reply)
            except EditError as error:
                reason = slot.worded(str(error))
                messages = prompt.correction(messages, reply, reason)
            else:
                return Proposal("ok", result.source, f"llm-{result.kind}", slot.notes(reply))
        return Proposal("unapplied", None, "llm", slot.notes(reply), reason)

    async def close(self) -> None:
        await self._caller.client.close()

    async def _reply(self, slot: _Slot, turn: int, messages: Sequence[Mapping[str, str]]) -> str:
        """The reply of a turn: from the journal when it was received before, else from the endpoint."""
        known = slot.received.get(turn)
        if known is not None:
            slot.count_known(messages, known)
            return known
        rng = slot.request.rng(f"retry:{turn}")
        answer = await self._caller.ask(slot.request.slot, slot.journal, messages, rng)
        slot.count(answer)
        return answer.text


@dataclass
class _Slot:
    """A slot's conversation so far: what the journal of a killed run holds, and what was spent."""

    request: Request
    journal: Journal
    past: Sequence[Call] = ()
    received: dict[int, str] = field(default_factory=dict)  # turn -> reply
    replies: int = 0
    tokens: int = 0
    estimated: bool = False
    cut_off: bool = False

    def __post_init__(self) -> None:
        self.past = self.journal.calls()
        for call in self.past:
            if call.reply is not None:
                self.received.setdefault(_turn(call), call.reply)

    def first_prompt(self, config: LlmConfig) -> list[prompt.Message]:
        """As it was sent before, if it was: a reply belongs to its prompt."""
        if self.past:
            return [dict(message) for message in self.past[0].prompt]
        return prompt.build(self.request, config.context_tokens)

    def count(self, answer: Answer) -> None:
        self.replies += 1
        self.tokens += answer.prompt_tokens + answer.reply_tokens
        self.estimated |= answer.estimated
        self.cut_off = answer.finish_reason == "length"

    def count_known(self, messages: Sequence[Mapping[str, str]], reply: str) -> None:
        self.replies += 1
        self.tokens += sum(estimated_tokens(message["content"]) for message in messages) + estimated_tokens(reply)
        self.estimated = True

    def worded(self, reason: str) -> str:
        return f"{reason}; the reply was cut off at its length limit: be shorter" if self.cut_off else reason

    def notes(self, reply: str = "") -> dict[str, Any]:
        notes: dict[str, Any] = {
            "calls": self.replies,
            "tokens": self.tokens,
            "direction": direction(self.request).name,
            "summary": summary(reply),
        }
        return notes | ({"tokens_estimated": True} if self.estimated else {})

    def without_reply(self, reason: str, failure: CallFailed) -> Proposal:
        if reason:  # there was a reply, which did not apply
            return Proposal("unapplied", None, "llm", self.notes(), f"{reason}; asking again failed: {failure}")
        return Proposal("void", None, "llm", self.notes(), str(failure))


class _Unrecorded:
    """The journal of a proposer that is used outside of a run."""

    def __init__(self) -> None:
        self._last = 0

    def calls(self) -> Sequence[Call]:
        return ()

    def sent(self, model: str, messages: Sequence[Mapping[str, str]], reserve_tokens: int, reserve_usd: float) -> int:
        self._last += 1
        return self._last

    def received(self, call: int, reply: str, prompt_tokens: int, reply_tokens: int, usd: float) -> None:
        pass

    def failed(self, call: int, outcome: str, message: str) -> None:
        pass


def _turn(call: Call) -> int:
    return sum(message["role"] == "assistant" for message in call.prompt)


def summary(reply: str) -> str:
    """What the reply says of its idea: its first paragraph of prose, at most 300 characters."""
    prose = re.split(r"^[^\S\n]*(?:```|~~~|<{5,9} ?SEARCH)", without_thinking(reply), maxsplit=1, flags=re.MULTILINE)[0]
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", prose))
    first = next((text for text in paragraphs if text and not text.startswith("#")), "")
    if len(first) <= _SUMMARY_CHARS:
        return first
    cut = first[:_SUMMARY_CHARS]
    sentence = max(cut.rfind(mark) for mark in (". ", "! ", "? "))
    return cut[: sentence + 1] if sentence > 0 else cut[:-1].rstrip() + "…"
