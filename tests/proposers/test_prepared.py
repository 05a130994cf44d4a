"""Proposals that need no proposer: what a replay makes of a recording."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.fakes import StepProposer, evolution, new_archive

from adrs.errors import InputError
from adrs.problem import Budget
from adrs.proposers.base import Proposal, Request
from adrs.proposers.prepared import Recording

CUT_OFF = "the fenced code block is not closed; the reply was cut off at its length limit: be shorter"
REPLIES = {1: "```python\nx = 2.5\n```", 2: "```python\nx ="}


class Talking(StepProposer):
    """Records a reply for each slot; the second one was cut off."""

    async def propose(self, request: Request) -> Proposal:
        assert request.journal is not None
        reply = REPLIES[request.slot]
        call = request.journal.sent("model", [{"role": "user", "content": "?"}], 10, 0.0)
        request.journal.received(call, reply, 1, 1, 0.0)
        if request.slot == 2:
            return Proposal("unapplied", None, "llm", error=CUT_OFF)
        return Proposal("ok", "x = 2.5\n", "llm-rewrite")


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    archive = new_archive(tmp_path / "a.sqlite", order="arrival", lag=2)
    asyncio.run(evolution(archive, Budget(candidates=2), proposer=Talking("arrival", 2)).run())
    archive.close()
    return Recording(tmp_path / "a.sqlite")


def test_a_reply_is_applied_anew_and_a_failure_keeps_its_words(recording: Recording) -> None:
    plans = [plan for position in (1, 2) if (plan := recording.plan(position)) is not None]
    by_slot = {plan.id: recording(plan) for plan in plans}
    assert (by_slot[1].status, by_slot[1].source) == ("ok", "x = 2.5\n")
    assert (by_slot[2].status, by_slot[2].source, by_slot[2].error) == ("unapplied", None, CUT_OFF)


def test_it_ends_with_the_recording(recording: Recording) -> None:
    assert recording.plan(2) is not None
    assert recording.plan(3) is None


def test_an_archive_in_which_nothing_was_committed_is_no_recording(tmp_path: Path) -> None:
    new_archive(tmp_path / "a.sqlite").close()
    with pytest.raises(InputError, match="nothing to replay"):
        Recording(tmp_path / "a.sqlite")
