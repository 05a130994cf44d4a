"""Agents on an instance: times by hand, pins, swapping, what is conserved, and that every session ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_agents_cases import SMALL, TEAM, in_turn, serving, small_instance, small_sessions

from evaluators.serving.agents.bound import least_completion_times
from evaluators.serving.agents.interface import Engine, Retention, Session, Turn
from evaluators.serving.agents.simulation import AgentServing
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.traffic.agents import AgentSession, AgentTurn

FEW = settings(deadline=None, max_examples=25, derandomize=True)
ROOMY = small_instance(5000)


def completion_times(run: AgentServing) -> list[float]:
    return [job.finished - job.session.arrival for job in run.jobs.values()]


def seconds_alone(deployment: Deployment, session: AgentSession, block: int = 16) -> float:
    """Iteration by iteration; nothing is evicted, and prompts are shorter than a batch."""
    cost, total, seen = deployment.cost, 0.0, set()
    for turn in session.turns:
        cached = (turn.context - 1) // block * block if turn.stream in seen else 0
        seen.add(turn.stream)
        new = turn.prompt_tokens - cached
        prefill = Batch(new, 1, 1, new * (new + 2 * cached), cached)
        total += cost.overhead(prefill) + cost.layers(prefill)
        for made in range(turn.output_tokens - 1):
            decode = Batch(1, 1, 1, decodes=1, context=turn.prompt_tokens + made + 1)
            total += cost.overhead(decode) + cost.layers(decode)
        total += turn.gap
    return total


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_session_alone_takes_the_sum_of_its_iterations_and_tools(seed: int) -> None:
    (session,) = small_sessions(1, seed)
    run = serving(ROOMY, [session])
    run.run()
    assert completion_times(run) == pytest.approx([seconds_alone(ROOMY, session)], rel=1e-9)
    assert run.instance.idle


@FEW
@given(
    seed=st.integers(0, 10**6),
    blocks=st.sampled_from([58, 80, 150]),
    rate=st.sampled_from([0.3, 5.0]),
    host=st.sampled_from([0, 40, 400]),
    link=st.sampled_from([1e6, 1e8, 5e10]),
    team=st.booleans(),
)
def test_every_session_ends_and_nothing_is_lost(
    seed: int, blocks: int, rate: float, host: int, link: float, team: bool
) -> None:
    """Whatever a policy answers: pins for ever, any order, swaps over links of any speed."""
    rng = np.random.default_rng(seed)
    pins, outcomes = [0.0, 0.5, 5.0, float("inf")], ["lru", "discard", "swap"]
    likely = rng.dirichlet(np.ones(len(pins)))

    def retain(now: float, session: Session, engine: Engine) -> Retention:
        assert 0 <= engine.pinned <= engine.blocks
        assert 0 <= engine.used <= engine.blocks - engine.pinned
        assert 0 <= engine.host_blocks <= host
        return Retention(float(rng.choice(pins, p=likely)), outcomes[rng.integers(3)])

    def order(now: float, waiting: list[Turn], engine: Engine) -> list[int]:
        assert all(turn.cached_tokens <= turn.host_tokens <= turn.prompt_tokens + 150 for turn in waiting)
        return [waiting[place].id for place in rng.permutation(len(waiting))]

    deployment = replace(small_instance(blocks), host_bytes_per_second=link)
    sessions = small_sessions(10, seed, rate, TEAM if team else SMALL)
    run = serving(deployment, sessions, retain, order, host)
    run.run()
    assert all(job.done for job in run.jobs.values())
    assert run.open_jobs == run.pins.blocks == run.instance.kv.reserved == 0
    assert run.instance.kv.in_use == 0
    assert run.cache.blocks == run.cache.evictable <= blocks
    assert run.host.free == host
    made = sum(turn.output_tokens for session in sessions for turn in session.turns)
    assert int(run.recorder.columns()["output_tokens"].sum()) == made
    assert (np.array(completion_times(run)) >= least_completion_times(deployment, sessions) * (1 - 1e-12)).all()


def keep_for_ever(now: float, session: Session, engine: Engine) -> Retention:
    return Retention(float("inf"))


def pinned_first(now: float, waiting: list[Turn], engine: Engine) -> list[int]:
    return [turn.id for turn in sorted(waiting, key=lambda turn: not turn.pinned)]


@pytest.mark.parametrize("backwards", [False, True])
def test_pins_for_ever_by_all_sessions_cannot_stop_the_engine(backwards: bool) -> None:
    def order(now: float, waiting: list[Turn], engine: Engine) -> list[int]:
        return [turn.id for turn in sorted(waiting, key=lambda turn: (turn.pinned, turn.id), reverse=backwards)]

    run = serving(small_instance(58), small_sessions(30, 4, rate=50.0), keep_for_ever, order)
    run.run()
    assert all(job.done for job in run.jobs.values())
    assert run.pins.yielded > 10


def turn(context: int, new: int, gap: float = 10.0) -> AgentTurn:
    """Blocks are 16 tokens; with the 17 tokens of the answer all but the last are cached."""
    return AgentTurn(0, context, new, 17, "tool" if gap else "", gap)


def two_turns(number: int, arrival: float, tokens: int, gap: float = 10.0) -> AgentSession:
    """No system prompt; the second turn adds 16 tokens."""
    session = small_sessions(1, 0)[0]
    system = (session.system[0]._replace(tokens=0),)
    return AgentSession(number, arrival, 0, system, (turn(0, tokens, gap), turn(tokens + 17, 16, 0.0)))


def second_turns(run: AgentServing) -> list[int]:
    """Tokens that the second turn of each session found in the cache."""
    columns = run.recorder.columns()
    found = dict(zip(columns["prompt_tokens"].tolist(), columns["cached_tokens"].tolist(), strict=True))
    return [found[job.session.turns[1].prompt_tokens] for job in run.jobs.values()]


@pytest.mark.parametrize(
    ("pin", "then", "cached", "waited"),
    [(0.0, "lru", 96, 0.0), (20.0, "lru", 496, 3.0), (9.0, "lru", 96, 2.0), (9.0, "discard", 0, 2.0)],
)
def test_a_pin_keeps_what_others_would_evict(pin: float, then: str, cached: int, waited: float) -> None:
    """Of 40 blocks the first session keeps 31, for a tool of 10 s; the other comes at 7 s and takes 34, leaving 6.

    It waits for the pin's end, or for the turn that the pin was for.
    """

    def retain(now: float, session: Session, engine: Engine) -> Retention:
        return Retention(pin if session.id == 0 else 0.0, then)

    sessions = [two_turns(0, 0.0, 480), two_turns(1, 7.0, 528, gap=100.0)]
    run = serving(small_instance(40), sessions, retain, pinned_first)
    run.run()
    assert second_turns(run)[0] == cached
    assert run.jobs[1].waited == pytest.approx(waited, abs=0.4)


def test_discarded_kv_is_gone_though_there_is_room() -> None:
    for then, cached in (("lru", 496), ("discard", 0), ("swap", 496)):
        run = serving(ROOMY, [two_turns(0, 0.0, 480)], lambda *_, then=then: Retention(0.0, then), host=100)
        run.run()
        assert second_turns(run) == [cached]
        assert run.host.swaps == (then == "swap")


def test_swapping_takes_the_link_and_frees_the_gpu() -> None:
    """31 blocks a second in either direction: out during the tool, back in one second before the turn runs."""
    deployment = replace(ROOMY, host_bytes_per_second=31 * 16 * ROOMY.kv_token_bytes)
    seen: list[tuple[int, int, float]] = []

    def retain(now: float, session: Session, engine: Engine) -> Retention:
        seen.append((session.kv_blocks, engine.host_blocks, session.swap_s))
        return Retention(0.0, "swap")

    sessions = [two_turns(0, 0.0, 480), two_turns(1, 5.0, 480, gap=1.5)]
    kept, swapped = serving(deployment, sessions), serving(deployment, sessions, retain, host=31)
    kept.run()
    swapped.run()
    assert seen == [(31, 31, 1.0), (31, 0, 1.0)]  # there is room for one of them
    assert swapped.host.swaps == 1
    assert completion_times(swapped)[0] - completion_times(kept)[0] == pytest.approx(1.0)
    assert completion_times(swapped)[1] == pytest.approx(completion_times(kept)[1])
    assert swapped.instance.kv.free == deployment.kv_blocks


def test_a_turn_that_comes_before_its_kv_is_copied_finds_it_where_it_was() -> None:
    deployment = replace(ROOMY, host_bytes_per_second=31 * 16 * ROOMY.kv_token_bytes)
    run = serving(deployment, [two_turns(0, 0.0, 480, gap=0.5)], lambda *_: Retention(0.0, "swap"), host=31)
    run.run()
    assert (run.host.swaps, run.host.free) == (0, 31)
    assert second_turns(run) == [496]


def test_turns_are_admitted_in_the_order_of_the_policy() -> None:
    """While the first runs, three others come that do not fit beside it."""
    sessions = [two_turns(number, 0.001 * number, 480, gap=0.001) for number in range(4)]
    first: dict[str, list[int]] = {}
    for name, order in (
        ("in turn", in_turn),
        ("reversed", lambda now, waiting, engine: in_turn(0, waiting, engine)[::-1]),
    ):
        run = serving(small_instance(40), sessions, order=order)
        run.run()
        admitted = sorted(run.jobs.values(), key=lambda job: job.finished)
        first[name] = [job.id for job in admitted]
    assert first["in turn"] == [0, 1, 2, 3]
    assert first["reversed"] != first["in turn"]


def test_the_pin_of_the_session_that_started_last_goes_first() -> None:
    """Three keep 12, 13 and 14 blocks; the next turns of all three come at once, and each needs another block."""
    sessions = [two_turns(number, float(number), 176 + 16 * number, gap=60.0 - number) for number in range(3)]
    run = serving(small_instance(12 + 13 + 14), sessions, keep_for_ever)
    run.run()
    assert second_turns(run)[:2] == [192, 208]
    assert second_turns(run)[2] < 224
    assert run.pins.yielded == 1
