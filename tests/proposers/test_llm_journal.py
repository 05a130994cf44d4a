"""The LLM proposer's journal: what is written when, and what a killed run's next session asks again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from proposers.llm_cases import MemoryJournal, request
from proposers.llm_proposing import BAD, CHILD, GOOD, QUICK, in_turn, proposals, propose
from proposers.llm_server import Behaviour, ScriptedServer

from adrs.proposers.base import BudgetReached
from adrs.proposers.llm import LlmConfig, LlmProposer, RetryPolicy


class TestJournal:
    def test_each_call_is_journaled_before_it_leaves_and_settled_after(self) -> None:
        journals = [MemoryJournal(first=100 * slot) for slot in range(1, 9)]
        seen: list[str] = []

        def script(body: Any, n: int) -> Behaviour:
            entry = next(
                e for j in journals for e in j.entries if e.messages == body["messages"] and e.outcome == "sent"
            )
            seen.append(entry.outcome)
            return (Behaviour("oops", status=500), Behaviour(BAD), Behaviour(GOOD))[n % 3]

        with ScriptedServer(script) as server:
            proposals(server, journals, RetryPolicy(attempts=9, base_seconds=0.001))
            assert len(seen) == server.calls == sum(len(journal.entries) for journal in journals)
        assert all(outcome != "sent" for journal in journals for outcome in journal.outcomes)

    def test_reserves_cover_what_the_call_can_cost(self) -> None:
        journal = MemoryJournal()
        prices = {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 10.0}
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            propose(server, journal, max_tokens=500, **prices)
        entry = journal.entries[0]
        assert entry.reserve_tokens > sum(entry.tokens) and entry.reserve_tokens > 500
        assert entry.reserve_usd == pytest.approx(((entry.reserve_tokens - 500) * 2 + 500 * 10) / 1e6)
        assert entry.usd == pytest.approx((entry.tokens[0] * 2 + entry.tokens[1] * 10) / 1e6)

    def test_budget_reached_passes_through_and_nothing_leaves(self) -> None:
        with ScriptedServer(in_turn(Behaviour(BAD))) as server:
            with pytest.raises(BudgetReached):
                propose(server, MemoryJournal(room=0))
            assert server.calls == 0
            with pytest.raises(BudgetReached):
                propose(server, MemoryJournal(room=1))
            assert server.calls == 1


class TestResume:
    """A journal as a killed run left it."""

    def left(self, *replies: str | None) -> MemoryJournal:
        """The journal of a run that got these replies, None being one that was on its way."""
        journal = MemoryJournal(room=len(replies))
        given = [reply for reply in replies if reply is not None]
        with ScriptedServer(in_turn(*(Behaviour(reply) for reply in given), Behaviour("lost", delay=9))) as server:
            proposer = LlmProposer(LlmConfig("test-model", server.base_url), QUICK)

            async def run() -> None:
                task = asyncio.create_task(proposer.propose(request(journal)))
                while not task.done() and (
                    len(journal.entries) < len(replies) or journal.outcomes.count("ok") < len(given)
                ):
                    await asyncio.sleep(0.005)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await proposer.close()

            asyncio.run(run())
        journal.room = 1000
        return journal

    def test_a_received_reply_is_not_asked_for_again(self) -> None:
        journal = self.left(GOOD)
        with ScriptedServer(in_turn(Behaviour(BAD))) as server:
            proposal = propose(server, journal)
            assert server.calls == 0
        assert (proposal.status, proposal.source) == ("ok", CHILD)
        assert proposal.notes["tokens_estimated"] is True and len(journal.entries) == 1

    def test_the_correction_follows_a_received_reply(self) -> None:
        journal = self.left(BAD)
        first = journal.entries[0].messages
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            assert propose(server, journal).source == CHILD
            assert server.calls == 1
            sent = server.received[0].request["messages"]
        assert sent[: len(first)] == first and sent[-2]["content"] == BAD

    @pytest.mark.parametrize(("second", "status"), [(GOOD, "ok"), ("nothing", "unapplied")])
    def test_both_replies_received(self, second: str, status: str) -> None:
        journal = self.left(BAD, second)
        with ScriptedServer(in_turn(Behaviour("unasked"))) as server:
            assert propose(server, journal).status == status
            assert server.calls == 0

    def test_an_empty_reply_was_received_too(self) -> None:
        journal = self.left("", GOOD)
        with ScriptedServer(in_turn(Behaviour("unasked"))) as server:
            assert propose(server, journal).source == CHILD
            assert server.calls == 0

    @pytest.mark.parametrize("outcome", ["sent", "lost"])
    def test_a_call_in_flight_is_asked_again_as_a_new_one(self, outcome: str) -> None:
        journal = self.left(None)
        journal.entries[0].outcome = outcome
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            assert propose(server, journal).source == CHILD
            assert server.received[0].request["messages"] == journal.entries[0].messages
        assert journal.outcomes == [outcome, "ok"]

    def test_a_correction_in_flight_is_asked_again(self) -> None:
        journal = self.left(BAD, None)
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            assert propose(server, journal).source == CHILD
            assert server.received[0].request["messages"] == journal.entries[1].messages
        assert journal.outcomes == ["ok", "sent", "ok"]
