"""What generated requests consist of: ids, order, streams that grow, contexts that fit, predictions."""

from __future__ import annotations

import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from evaluators.serving.request import Request, Segment
from evaluators.serving.traffic import azure, burstgpt, servegen, sessions
from evaluators.serving.traffic.agent_profiles import CODING, MINI_SWE, PROFILES, TEAM
from evaluators.serving.traffic.agents import AgentProfile, generate
from evaluators.serving.traffic.lengths import Fixed, Lognormal
from evaluators.serving.traffic.offline import Batch
from evaluators.serving.traffic.predictions import bucketed, with_lognormal_error

Generate = Callable[..., Iterator[Request]]
GENERATORS: dict[str, Generate] = {
    "azure-conversation": azure.CONVERSATION.requests,
    "azure-code": azure.CODE.requests,
    "burstgpt": burstgpt.BURSTGPT.requests,
    "servegen-m-large": servegen.LARGE.requests,
    "servegen-r1": servegen.REASONING.requests,
    "mooncake-conversation": sessions.CONVERSATION.requests,
}


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=GENERATORS)
def test_requests_are_numbered_ordered_and_the_same_for_a_seed(generate: Generate) -> None:
    made = list(generate(2.0, 7, count=400))
    assert [request.id for request in made] == list(range(400))
    assert all(0.0 <= one.arrival <= next.arrival for one, next in pairwise(made))
    assert min(min(request.prompt_tokens, request.output_tokens) for request in made) >= 1
    assert list(generate(2.0, 7, count=400)) == made
    assert list(generate(2.0, 7, count=50)) == made[:50]
    assert list(generate(2.0, 8, count=400)) != made


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=GENERATORS)
def test_a_duration_cuts_the_same_stream(generate: Generate) -> None:
    made = list(generate(5.0, 3, seconds=60.0))
    assert made
    assert made[-1].arrival < 60.0 <= next(islice(generate(5.0, 3), len(made), None)).arrival


@pytest.mark.parametrize("name", ["azure-conversation", "azure-code", "burstgpt", "servegen-m-large"])
def test_a_load_changes_the_arrivals_and_not_the_work(name: str) -> None:
    slow, fast = (list(GENERATORS[name](rate, 5, count=300)) for rate in (1.0, 4.0))
    work = [[(request.prompt_tokens, request.output_tokens) for request in made] for made in (slow, fast)]
    assert work[0] == work[1]
    assert fast[-1].arrival < slow[-1].arrival


@pytest.mark.slow
@pytest.mark.parametrize("name", ["azure-conversation", "azure-code"])
def test_a_million_requests_pass_in_bounded_memory(name: str) -> None:
    stream = GENERATORS[name](5.0, 1)
    next(stream)
    tracemalloc.start()
    last = next(islice(stream, 999_998, None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last.id == 999_999
    assert peak < 2_000_000  # bytes


def test_tenants_are_the_clients_and_the_first_sends_most() -> None:
    made = Counter(request.tenant for request in servegen.LARGE.requests(200.0, 1, count=20_000))
    assert made[0] / 20_000 == pytest.approx(0.169, abs=0.05)


@pytest.mark.parametrize("population", [servegen.LARGE, servegen.MID, servegen.SMALL, servegen.REASONING])
def test_shares_fall_with_the_rank_and_add_up(population: servegen.Population) -> None:
    shares = population.shares()
    assert len(shares) == population.leaders[-1][0]
    assert shares.sum() == pytest.approx(1.0)
    assert (np.diff(shares) <= 0.0).all()
    for clients, share in population.leaders:
        assert shares[:clients].sum() == pytest.approx(share, abs=0.01)


def test_a_conversation_is_one_stream_that_grows() -> None:
    turns: dict[int, list[Request]] = defaultdict(list)
    for request in sessions.CONVERSATION.requests(3.0, 2, count=4000):
        turns[request.session].append(request)
        assert sum(segment.tokens for segment in request.prefix) == request.prompt_tokens
        assert request.prefix[0] == Segment(-1, 512)
    several = [requests for requests in turns.values() if len(requests) > 1]
    assert len(several) > 100
    for requests in several:
        for earlier, later in pairwise(requests):
            assert later.turn == earlier.turn + 1
            assert later.prefix[1].key == earlier.prefix[1].key == earlier.session
            assert later.prompt_tokens > earlier.prompt_tokens + earlier.output_tokens
            assert later.prompt_tokens + later.output_tokens <= sessions.CONVERSATION.longest
    keys = Counter(requests[0].prefix[1].key for requests in turns.values())
    assert set(keys.values()) == {1}


def test_conversations_are_under_way_when_the_traffic_begins() -> None:
    """The share of later turns is stationary: as large in the first minutes as afterwards."""
    made = list(sessions.CONVERSATION.requests(10.0, 1, seconds=1200.0))
    later = [np.mean([one.turn > 0 for one in made if low <= one.arrival < low + 300.0]) for low in (0.0, 900.0)]
    assert later[0] == pytest.approx(later[1], abs=0.04)
    assert later[0] > 0.25


def test_system_prompts_of_two_kinds_are_told_apart() -> None:
    several = replace(sessions.CONVERSATION, key=3, systems=((0.7, 100), (0.3, 900)))
    made = list(several.requests(5.0, 1, count=2000))
    systems = Counter(request.prefix[0] for request in made if request.turn == 0)
    assert set(systems) == {Segment(-193, 100), Segment(-194, 900)}
    assert systems[Segment(-193, 100)] / systems.total() == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_call_continues_what_its_stream_holds(profile: AgentProfile) -> None:
    for session in generate(profile, 0.5, seed=4, count=40):
        assert len(session.turns) >= 1
        assert session.turns[-1].tool == "" and session.turns[-1].gap == 0.0
        held = {stream: system.tokens for stream, system in enumerate(session.system)}
        for turn in session.turns:
            assert turn.context == held[turn.stream]
            assert turn.new_tokens >= 1 and turn.output_tokens >= 1
            held[turn.stream] += turn.new_tokens + turn.output_tokens
            assert held[turn.stream] <= profile.context_limit
        assert set(held) == {turn.stream for turn in session.turns}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_gaps_follow_the_tool_and_tools_their_shares(profile: AgentProfile) -> None:
    turns = [turn for session in generate(profile, 0.5, seed=4, count=300) for turn in session.turns if turn.tool]
    for tool in profile.tools:
        gaps = [turn.gap for turn in turns if turn.tool == tool.name]
        assert len(gaps) / len(turns) == pytest.approx(tool.share, abs=0.02)
        assert np.median(gaps) == pytest.approx(min(tool.median, tool.longest), rel=0.25)
        assert max(gaps) <= tool.longest
    assert {turn.tool for turn in turns} == {tool.name for tool in profile.tools}


def test_a_session_depends_on_its_place_and_not_on_the_load() -> None:
    slow, fast = (list(generate(MINI_SWE, rate, seed=1, first_id=10, count=30)) for rate in (0.1, 1.0))
    assert [replace(one, arrival=0.0) for one in slow] == [replace(one, arrival=0.0) for one in fast]
    assert [session.id for session in slow] == list(range(10, 40))
    assert slow == list(generate(MINI_SWE, 0.1, seed=1, first_id=10, count=30))
    assert [one.arrival for one in slow] == sorted(one.arrival for one in slow)


def test_the_request_of_a_turn() -> None:
    session = next(generate(TEAM, 1.0, seed=3))
    turn = session.turns[5]
    request = session.request(5, 12.5, id=77)
    assert (request.id, request.arrival, request.session, request.turn) == (77, 12.5, session.id, 5)
    assert (request.prompt_tokens, request.output_tokens) == (turn.context + turn.new_tokens, turn.output_tokens)
    assert sum(segment.tokens for segment in request.prefix) == request.prompt_tokens
    assert request.prefix[0] == session.system[turn.stream]


def test_a_full_context_is_compacted_into_a_new_stream() -> None:
    small = replace(CODING, context_limit=30_000, results=Fixed(2000), answers=Fixed(500))
    session = next(one for one in generate(small, 1.0, seed=0) if len(one.turns) > 60)
    streams = [turn.stream for turn in session.turns]
    assert streams == sorted(streams)
    assert len(set(streams)) > 5
    for before, after in pairwise(session.turns):
        if after.stream != before.stream:
            assert after.context == small.system_tokens
            assert after.new_tokens == small.summary + 2000
    assert {segment.key for segment in session.system} == {-1}


def test_a_prompt_beyond_the_limit_is_cut_to_it() -> None:
    huge = replace(MINI_SWE, context_limit=4096, task=Fixed(100_000), results=Fixed(50_000), answers=Fixed(9000))
    for turn in next(generate(huge, 1.0, seed=0)).turns:
        assert turn.prompt_tokens + turn.output_tokens <= 4096


def test_streams_of_sessions_and_profiles_never_meet() -> None:
    owners: dict[int, object] = {}
    for start, profile in ((0, CODING), (1000, TEAM)):
        for session in generate(profile, 1.0, seed=start, first_id=start, count=20):
            for place in range(len(session.turns)):
                system, own = session.request(place, 0.0, 0).prefix
                assert owners.setdefault(own.key, (session.id, session.turns[place].stream)) == (
                    session.id, session.turns[place].stream,
                )  # fmt: skip
                assert owners.setdefault(system.key, profile.name) == profile.name


def test_an_offline_batch_shares_its_texts_evenly() -> None:
    batch = Batch("questions", 8, Lognormal(3000, 0.5), Lognormal(40, 0.5), Fixed(20))
    made = batch.requests(103, seed=1)
    assert {request.arrival for request in made} == {0.0}
    assert all(sum(segment.tokens for segment in one.prefix) == one.prompt_tokens for one in made)
    groups = Counter(request.prefix[0] for request in made)
    assert sorted(groups.values()) == [12] + [13] * 7
    assert len({request.prefix[1].key for request in made} | {segment.key for segment in groups}) == 111
    assert [request.prefix[0].key for request in made] != sorted(request.prefix[0].key for request in made)
    assert batch.requests(103, seed=1) == made


def kendall(ones: list[int], others: list[int]) -> float:
    """Kendall's tau-a by its definition."""
    left, right = (np.sign(np.subtract.outer(part, part)) for part in (ones, others))
    return float((left * right).sum() / (len(ones) * (len(ones) - 1)))


def test_lognormal_predictions_rank_as_stated() -> None:
    requests = list(azure.CONVERSATION.requests(1.0, 1, count=1500))
    tau = {}
    for sigma in (0.0, 0.6):
        made = list(with_lognormal_error(requests, sigma, seed=2))
        assert [replace(one, predicted_tokens=None) for one in made] == requests
        tau[sigma] = kendall([one.output_tokens for one in made], [one.predicted_tokens or 0 for one in made])
    assert tau[0.0] > 0.98  # ties apart
    assert tau[0.6] == pytest.approx(0.61, abs=0.06)


def test_bucketed_predictions_are_right_as_often_as_stated() -> None:
    requests = list(azure.CONVERSATION.requests(1.0, 1, count=4000))
    made = list(bucketed(requests, width=100, buckets=5, accuracy=0.8, seed=3))
    true = [min((one.output_tokens - 1) // 100, 4) for one in made]
    predicted = [(one.predicted_tokens or 0) // 100 - 1 for one in made]
    assert set(predicted) == set(range(5))
    assert np.mean(np.equal(true, predicted)) == pytest.approx(0.8, abs=0.03)
    assert max(abs(np.subtract(true, predicted))) == 1
