"""One journaled call: sent, retried, settled."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from adrs.proposers.base import Journal
from adrs.proposers.llm.breaker import Breaker
from adrs.proposers.llm.client import CallFailed, ChatClient, Completion
from adrs.proposers.llm.config import LlmConfig
from adrs.proposers.llm.pricing import Price, price_of
from adrs.proposers.llm.retry import RetryPolicy

CHARS_PER_TOKEN = 3.5  # of English and code; for estimates
_CHARS_PER_TOKEN_LEAST = 2.5  # for reserves, which should rather be too large
_HINTS = {
    401: "the endpoint refuses the key in {key}",
    402: "the account behind the key in {key} has no credit",
    403: "the key in {key} may not use model {model!r}",
    404: "the endpoint knows no model {model!r} (or base_url is wrong)",
    429: "the quota of the key in {key} is used up",
}


@dataclass(frozen=True)
class Answer:
    """A received reply and what it cost. `estimated`: the endpoint reported no token counts."""

    text: str
    finish_reason: str
    prompt_tokens: int
    reply_tokens: int
    usd: float
    estimated: bool


def estimated_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARS_PER_TOKEN)


class Caller:
    """Makes calls, at most `config.concurrency` at a time. Nothing leaves before the journal has it."""

    def __init__(
        self,
        config: LlmConfig,
        retry: RetryPolicy,
        breaker: Breaker,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.config = config
        self.retry = retry
        self.breaker = breaker
        self.client = ChatClient(config)
        self._price = price_of(config) or Price(0.0, 0.0)
        self._gate = asyncio.Semaphore(config.concurrency)
        self._sleep = sleep

    async def ask(
        self, slot: int, journal: Journal, messages: Sequence[Mapping[str, str]], rng: random.Random
    ) -> Answer:
        """The reply to the messages.

        Raises:
            CallFailed: no reply after all attempts; other slots may go on.
            ProposerError: no call can succeed.
            BudgetReached: from the journal.
        """
        failures = 0
        while True:
            try:
                return await self._attempt(slot, journal, messages)
            except CallFailed as failure:
                failures += 1
                delay = self._delay(failure, failures, rng)
                if delay is None:
                    self.breaker.failure(str(failure))
                    raise
            await self._sleep(delay)

    async def _attempt(self, slot: int, journal: Journal, messages: Sequence[Mapping[str, str]]) -> Answer:
        async with self._gate:
            self.breaker.check()
            call = journal.sent(self.config.model, messages, *self._reserve(messages))
            try:
                completion = await self.client.complete(messages, f"adrs-{slot}-{call}")
            except CallFailed as failure:
                journal.failed(call, failure.outcome, failure.message)
                raise
            answer = self._answer(messages, completion)
            journal.received(call, answer.text, answer.prompt_tokens, answer.reply_tokens, answer.usd)
        self.breaker.success()
        return answer

    def _reserve(self, messages: Sequence[Mapping[str, str]]) -> tuple[int, float]:
        """The most tokens and dollars that a call can cost."""
        prompt = math.ceil(_characters(messages) / _CHARS_PER_TOKEN_LEAST)
        return prompt + self.config.max_tokens, self._price.usd(prompt, self.config.max_tokens)

    def _answer(self, messages: Sequence[Mapping[str, str]], completion: Completion) -> Answer:
        prompt, reply = completion.prompt_tokens, completion.reply_tokens
        estimated = prompt is None or reply is None
        if prompt is None:
            prompt = math.ceil(_characters(messages) / CHARS_PER_TOKEN)
        if reply is None:
            reply = estimated_tokens(completion.text)
        usd = self._price.usd(prompt, reply)
        return Answer(completion.text, completion.finish_reason, prompt, reply, usd, estimated)

    def _delay(self, failure: CallFailed, failures: int, rng: random.Random) -> float | None:
        """Seconds until the next attempt, None when this was the last. Raises `ProposerError` on a fatal failure."""
        if failure.verdict == "fatal":
            status = int(failure.outcome.removeprefix("http_"))
            hint = _HINTS[status].format(key=self.config.api_key_env, model=self.config.model)
            self.breaker.open(f"{hint}: {self.config.base_url} answers {status}: {failure.message}")
        if failure.verdict == "give_up":
            return None
        return self.retry.delay(failures, failure.retry_after, rng)


def _characters(messages: Sequence[Mapping[str, str]]) -> int:
    return sum(len(message["content"]) + 16 for message in messages)
