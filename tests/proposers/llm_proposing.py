"""Runs the LLM proposer against a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from proposers.llm_cases import SOURCE, MemoryJournal, request
from proposers.llm_server import Behaviour, Script, ScriptedServer, block

from adrs.proposers.base import Proposal
from adrs.proposers.llm import LlmConfig, LlmProposer, RetryPolicy

GOOD = "Weigh jobs more. That helps.\n\n" + block("        cost = job * 2 + 0.5\n", "        cost = job * 3 + 0.5\n")
BAD = block("        cost = job * 7\n", "        cost = job\n")
CHILD = SOURCE.replace("* 2", "* 3")
QUICK = RetryPolicy(attempts=4, base_seconds=0.001)


def in_turn(*behaviours: Behaviour) -> Script:
    """Each request gets the next behaviour; the last one again and again."""
    return lambda request, n: behaviours[min(n, len(behaviours) - 1)]


def propose(
    server: ScriptedServer,
    journal: MemoryJournal,
    retry: RetryPolicy = QUICK,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **config: Any,
) -> Proposal:
    return proposals(server, [journal], retry, sleep, **config)[0]


def proposals(
    server: ScriptedServer,
    journals: Sequence[MemoryJournal],
    retry: RetryPolicy = QUICK,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **config: Any,
) -> list[Proposal]:
    async def run() -> list[Proposal]:
        proposer = LlmProposer(LlmConfig("test-model", server.base_url, **config), retry, sleep=sleep)
        try:
            slots = (proposer.propose(request(journal, slot)) for slot, journal in enumerate(journals, 1))
            return await asyncio.gather(*slots)
        finally:
            await proposer.close()

    return asyncio.run(run())
