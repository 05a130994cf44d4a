"""The LLM proposer against a real HTTP server: every way in which an endpoint answers, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from proposers.llm_cases import SOURCE, MemoryJournal, request
from proposers.llm_proposing import BAD, CHILD, GOOD, QUICK, in_turn, proposals, propose
from proposers.llm_server import Behaviour, Latency, Mutate, ScriptedServer

from adrs.errors import ProposerError
from adrs.proposers.llm import LlmConfig, LlmProposer, RetryPolicy


class TestReplies:
    def test_a_good_edit(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            proposal = propose(server, journal, max_tokens=777, temperature=0.25)
            sent = server.received[0]
        assert (proposal.status, proposal.source, proposal.operator) == ("ok", CHILD, "llm-edit")
        assert proposal.notes["summary"] == "Weigh jobs more. That helps."
        assert proposal.notes["calls"] == 1 and proposal.notes["tokens"] == sum(journal.entries[0].tokens)
        assert "tokens_estimated" not in proposal.notes
        assert sent.path == "/v1/chat/completions"
        assert (sent.request["model"], sent.request["max_tokens"], sent.request["temperature"]) == (
            "test-model",
            777,
            0.25,
        )
        assert not sent.request.get("stream")
        assert sent.headers["x-client-request-id"] == "adrs-1-1"
        assert sent.request["messages"] == journal.entries[0].messages

    def test_a_good_whole_file(self) -> None:
        with ScriptedServer(in_turn(Behaviour(f"New.\n```python\n{CHILD}```"))) as server:
            proposal = propose(server, MemoryJournal())
        assert (proposal.status, proposal.source, proposal.operator) == ("ok", CHILD, "llm-rewrite")

    def test_unicode_travels_whole(self) -> None:
        child = SOURCE.replace("best, least = 0", "# größte → 最短 🚀\n    best, least = 0")
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(f"```python\n{child}```"))) as server:
            assert propose(server, journal).source == child
        assert "最短 🚀" in (journal.entries[0].reply or "")

    def test_lone_surrogates_can_be_stored(self) -> None:
        body = json.dumps({"choices": [{"message": {"content": GOOD + "\ud800"}}]}).encode()
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(body=body))) as server:
            assert propose(server, journal).source == CHILD
        (journal.entries[0].reply or "").encode()

    def test_lone_surrogates_of_an_error_can_be_stored(self) -> None:
        body = json.dumps({"error": {"code": 502, "message": "\ud800"}}).encode()
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(body=body), Behaviour(GOOD))) as server:
            assert propose(server, journal).source == CHILD
        journal.entries[0].message.encode()

    @pytest.mark.parametrize("count", [10**30, -1, True, "7"])
    def test_token_counts_that_cannot_be_are_estimated(self, count: object) -> None:
        usage = {"prompt_tokens": count, "completion_tokens": 3}
        body = json.dumps({"choices": [{"message": {"content": GOOD}}], "usage": usage}).encode()
        with ScriptedServer(in_turn(Behaviour(body=body))) as server:
            proposal = propose(server, MemoryJournal())
        assert proposal.notes["tokens_estimated"] and proposal.notes["tokens"] < 10_000

    def test_a_megabyte_is_cut_but_what_stands_first_counts(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(GOOD + "x" * (1 << 20)))) as server:
            assert propose(server, journal).source == CHILD
        assert len(journal.entries[0].reply or "") == 1 << 18

    def test_a_megabyte_of_garbage_goes_back_shortened(self) -> None:
        with ScriptedServer(in_turn(Behaviour("x" * (1 << 20)), Behaviour(GOOD))) as server:
            assert propose(server, MemoryJournal()).source == CHILD
            assert sum(len(message["content"]) for message in server.received[1].request["messages"]) < 40_000

    def test_an_endless_answer_is_refused(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(body=b" " * (9 << 20)))) as server:
            proposal = propose(server, journal)
            assert server.calls == 1
        assert (proposal.status, journal.outcomes) == ("void", ["oversized"])

    def test_content_parts_and_missing_usage(self) -> None:
        parts = [{"type": "text", "text": GOOD[:10]}, {"type": "text", "text": GOOD[10:]}]
        body = json.dumps({"choices": [{"message": {"content": parts}}]}).encode()
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(body=body))) as server:
            proposal = propose(server, journal)
        assert proposal.source == CHILD
        assert proposal.notes["tokens_estimated"] is True
        assert journal.entries[0].tokens[0] > 100 and journal.entries[0].tokens[1] == -(-len(GOOD) * 2 // 7)

    def test_a_slow_reply_is_waited_for(self) -> None:
        with ScriptedServer(in_turn(Behaviour(GOOD, delay=0.2))) as server:
            assert propose(server, MemoryJournal(), timeout_seconds=30).source == CHILD


class TestCorrection:
    def test_a_reply_that_does_not_apply_goes_back_once_with_the_reason(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(BAD), Behaviour(GOOD))) as server:
            proposal = propose(server, journal)
            first, second = (received.request["messages"] for received in server.received)
        assert (proposal.status, proposal.source, proposal.notes["calls"]) == ("ok", CHILD, 2)
        assert second[: len(first)] == first
        assert second[-2] == {"role": "assistant", "content": BAD}
        assert "SEARCH part of block 1 is not in the current policy" in second[-1]["content"]
        assert proposal.notes["tokens"] == sum(sum(entry.tokens) for entry in journal.entries)

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            ("What a nice policy!", "neither a SEARCH/REPLACE block"),
            ("", "neither a SEARCH/REPLACE block"),
            (f"```python\n{SOURCE}```", "changes nothing"),
            ("```python\ndef pick(jobs, now:\n```", "not valid Python"),
        ],
    )
    def test_after_the_second_it_is_unapplied(self, reply: str, reason: str) -> None:
        with ScriptedServer(in_turn(Behaviour(reply))) as server:
            proposal = propose(server, MemoryJournal())
            assert server.calls == 2
        assert (proposal.status, proposal.source) == ("unapplied", None)
        assert reason in proposal.error

    def test_a_reply_cut_off_is_told_so(self) -> None:
        cut = Behaviour(f"```python\n{CHILD[:60]}", finish_reason="length")
        with ScriptedServer(in_turn(cut, Behaviour(GOOD))) as server:
            assert propose(server, MemoryJournal()).status == "ok"
            assert "cut off at its length limit" in server.received[1].request["messages"][-1]["content"]

    def test_when_asking_again_fails_the_first_reason_stays(self) -> None:
        with ScriptedServer(in_turn(Behaviour(BAD), Behaviour("no", status=400))) as server:
            proposal = propose(server, MemoryJournal())
        assert proposal.status == "unapplied"
        assert "block 1" in proposal.error and "http_400" in proposal.error


class TestRetries:
    @pytest.mark.parametrize(
        ("trouble", "outcome"),
        [
            (Behaviour("slow down", status=429), "http_429"),
            (Behaviour("overloaded", status=500), "http_500"),
            (Behaviour("bad gateway", status=502), "http_502"),
            (Behaviour("overloaded", status=529), "http_529"),
            (Behaviour(hang_up_after=-1), "disconnected"),
            (Behaviour(GOOD, hang_up_after=40), "disconnected"),
            (Behaviour(choices=False), "malformed"),
            (Behaviour(body=b"<html>gateway</html>"), "malformed"),
            (Behaviour(body=b"[1]"), "malformed"),
            (Behaviour(body=b'{"choices": [7]}'), "malformed"),
            (Behaviour(body=b'{"error": {"code": 502, "message": "upstream"}}'), "http_502"),
        ],
    )
    def test_trouble_then_good(self, trouble: Behaviour, outcome: str) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(trouble, trouble, Behaviour(GOOD))) as server:
            proposal = propose(server, journal)
            assert server.calls == 3
        assert proposal.source == CHILD
        assert journal.outcomes == [outcome, outcome, "ok"]

    def test_a_timeout_is_tried_again(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour(GOOD, delay=20), Behaviour(GOOD))) as server:
            assert propose(server, journal, timeout_seconds=0.4).source == CHILD
        assert journal.outcomes == ["timeout", "ok"]

    def test_attempts_are_bounded_and_no_other_retries_hide(self) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour("always", status=500))) as server:
            proposal = propose(server, journal)
            assert server.calls == QUICK.attempts
        assert (proposal.status, proposal.error) == ("void", "http_500: always")
        assert journal.outcomes == ["http_500"] * QUICK.attempts

    def test_an_unreachable_endpoint(self) -> None:
        with ScriptedServer(in_turn(Behaviour(GOOD))) as server:
            pass  # its port is closed now
        journal = MemoryJournal()
        proposal = propose(server, journal)
        assert proposal.status == "void" and server.base_url in proposal.error
        assert journal.outcomes == ["http_unreachable"] * QUICK.attempts

    def test_retry_after_is_honoured(self) -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        told = Behaviour("wait", status=429, headers={"Retry-After": "7"})
        with ScriptedServer(in_turn(told, Behaviour("wait", status=429), Behaviour(GOOD))) as server:
            assert propose(server, MemoryJournal(), RetryPolicy(base_seconds=1), sleep).source == CHILD
        assert 7 <= waits[0] <= 8 and waits[1] <= 2

    def test_too_long_a_retry_after_is_not_waited_for(self) -> None:
        told = Behaviour("come back tomorrow", status=429, headers={"Retry-After": "86400"})
        with ScriptedServer(in_turn(told)) as server:
            assert propose(server, MemoryJournal()).status == "void"
            assert server.calls == 1

    @pytest.mark.parametrize(
        ("parameter", "message"),
        [
            (
                "max_tokens",
                "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            ),
            ("temperature", "Unsupported value: 'temperature' does not support 0.7 with this model."),
        ],
    )
    def test_a_refused_parameter_is_sent_otherwise(self, parameter: str, message: str) -> None:
        def script(body: Any, n: int) -> Behaviour:
            return Behaviour(message, status=400) if parameter in body else Behaviour(GOOD)

        journals = [MemoryJournal() for _ in range(3)]
        with ScriptedServer(script) as server:
            done = proposals(server, journals, temperature=0.7, concurrency=1)
            assert server.calls == 4  # learned once
            assert server.received[-1].request.get("max_completion_tokens", 8192) == 8192
        assert [proposal.source for proposal in done] == [CHILD] * 3


class TestGivingUp:
    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (401, "refuses the key in OPENAI_API_KEY"),
            (402, "no credit"),
            (403, "may not use model 'test-model'"),
            (404, "knows no model 'test-model'"),
        ],
    )
    def test_at_once(self, status: int, reason: str) -> None:
        journal = MemoryJournal()
        with ScriptedServer(in_turn(Behaviour("no such\nthing", status=status))) as server:
            with pytest.raises(ProposerError) as caught:
                propose(server, journal)
            assert server.calls == 1
        assert reason in str(caught.value) and "\n" not in str(caught.value)
        assert journal.outcomes == [f"http_{status}"]

    def test_a_used_up_quota_is_no_rate_limit(self) -> None:
        body = json.dumps({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}).encode()
        with ScriptedServer(in_turn(Behaviour(status=429, body=body))) as server:
            with pytest.raises(ProposerError, match="quota of the key in OPENAI_API_KEY is used up"):
                propose(server, MemoryJournal())
            assert server.calls == 1

    def test_the_key_is_not_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
        journal = MemoryJournal()
        refusal = Behaviour("Incorrect API key provided: sk-very-secret-key", status=401)
        with ScriptedServer(in_turn(refusal)) as server:
            with pytest.raises(ProposerError) as caught:
                propose(server, journal)
            assert server.received[0].headers["authorization"] == "Bearer sk-very-secret-key"
        assert "secret" not in str(caught.value) and "secret" not in journal.entries[0].message

    def test_too_long_a_prompt_voids_the_slot(self) -> None:
        journal = MemoryJournal()
        message = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."
        with ScriptedServer(in_turn(Behaviour(message, status=400))) as server:
            proposal = propose(server, journal)
            assert server.calls == 1
        assert proposal.status == "void" and "maximum context length" in proposal.error

    def test_when_nothing_succeeds_the_run_ends(self) -> None:
        journals = [MemoryJournal() for _ in range(9)]
        with ScriptedServer(in_turn(Behaviour("broken", status=400))) as server:
            with pytest.raises(ProposerError, match=r"nothing succeeds: 5 LLM calls in a row .* http_400: broken"):
                proposals(server, journals, concurrency=1)
            assert server.calls == 5  # none leaves after it

    def test_a_success_between_them_counts(self) -> None:
        def script(body: Any, n: int) -> Behaviour:
            return Behaviour(GOOD) if n % 5 == 4 else Behaviour("broken", status=400)

        with ScriptedServer(script) as server:
            done = proposals(server, [MemoryJournal() for _ in range(15)], concurrency=1)
        assert [proposal.status for proposal in done].count("void") == 12


class TestConcurrency:
    def test_as_many_as_configured_are_in_flight_and_no_more(self) -> None:
        with ScriptedServer(in_turn(Behaviour(GOOD, delay=0.3))) as server:
            done = proposals(server, [MemoryJournal() for _ in range(15)], concurrency=6)
            assert server.peak_in_flight == 6
        assert all(proposal.source == CHILD for proposal in done)

    def test_waiting_for_a_retry_holds_no_place(self) -> None:
        waiting = asyncio.Event()

        def script(body: Any, n: int) -> Behaviour:
            return Behaviour("later", status=503) if n == 0 else Behaviour(GOOD)

        async def sleep(seconds: float) -> None:
            await waiting.wait()

        async def run(server: ScriptedServer) -> None:
            proposer = LlmProposer(LlmConfig("m", server.base_url, concurrency=1), QUICK, sleep=sleep)
            first = asyncio.create_task(proposer.propose(request(MemoryJournal(), 1)))
            await asyncio.sleep(0)
            assert (await proposer.propose(request(MemoryJournal(), 2))).source == CHILD
            assert not first.done()
            waiting.set()
            assert (await first).source == CHILD
            await proposer.close()

        with ScriptedServer(script) as server:
            asyncio.run(run(server))

    def test_it_presents_itself(self) -> None:
        proposer = LlmProposer(LlmConfig("gpt-5-mini", "https://api.example.com/v1", concurrency=12))
        assert (proposer.name, proposer.order, proposer.lag, proposer.hints()) == ("openai", "arrival", 12, {})
        assert proposer.describe() == (
            "openai: gpt-5-mini at https://api.example.com/v1, 12 calls in flight, "
            "$0.25 in, $2 out per million tokens (table of 2026-11)"
        )


def test_many_slots_with_every_kind_of_trouble() -> None:
    journals = [MemoryJournal() for _ in range(40)]
    with ScriptedServer(Mutate(fault_share=0.4, seed=3), Latency(0.01, 0.6)) as server:
        done = proposals(server, journals, RetryPolicy(attempts=8, base_seconds=0.001))
        assert server.calls == sum(len(journal.entries) for journal in journals)
    statuses = [proposal.status for proposal in done]
    assert set(statuses) <= {"ok", "unapplied", "void"} and statuses.count("ok") > 20


def test_nothing_heavy_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from adrs.proposers.llm import *; LlmProposer(LlmConfig('m', 'http://localhost:1/v1'));"
        "print([m for m in sys.modules if m.split('.')[0] in ('openai', 'httpx2', 'numpy', 'pandas', 'libcst')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
