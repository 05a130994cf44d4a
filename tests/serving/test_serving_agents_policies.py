"""Seed and baselines of agent serving: true to their sources."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from serving_agents_cases import seed_policy

from adrs.testing.direct import DirectPolicy
from evaluators.serving.agents.interface import Engine, Retention, Session, Turn

EMPTY = Engine(blocks=1000, used=0, pinned=0, running=0, waiting=0, sessions=1, host_blocks=0, ended=[])


def session(**given: Any) -> Session:
    """After its third turn."""
    values: dict[str, Any] = {
        "id": 0, "started": 0.0, "turns": 3, "context_tokens": 16_000, "kv_blocks": 1000, "tool": "read",
        "tools": ["read", "test"], "gaps": [4.0, 60.0], "served_s": 9.0, "waited_s": 3.0, "recompute_s": 2.0,
        "swap_s": 0.1,
    }  # fmt: skip
    return Session(**values | given)


def turn(id: int, **given: Any) -> Turn:
    values: dict[str, Any] = {
        "session": id, "arrived": float(id), "started": 0.0, "turn": 1, "prompt_tokens": 5000, "cached_tokens": 0,
        "host_tokens": 0, "pinned": False, "preempted": False, "served_s": 0.0, "waited_s": 0.0,
    }  # fmt: skip
    return Turn(id, **values | given)


def retain(policy: DirectPolicy, of: Session, engine: Engine = EMPTY) -> Retention:
    answer = policy.call("retain", 100.0, of, engine)
    assert isinstance(answer, Retention)
    return answer


def order(name: str, waiting: list[Turn], now: float = 100.0) -> list[int]:
    return list(seed_policy(name).call("order", now, waiting, EMPTY))


def test_vllm_evicts_the_least_recently_used_and_serves_in_order_of_arrival() -> None:
    assert retain(seed_policy("lru"), session()) == Retention(0.0, "lru")
    assert retain(seed_policy("end_of_turn"), session()) == Retention(0.0, "discard")
    for name in ("lru", "end_of_turn"):
        assert order(name, [turn(7, started=5.0), turn(3, started=9.0), turn(5)]) == [7, 3, 5]


def test_infercept_takes_what_wastes_least() -> None:
    """A context of 16,000 tokens that takes 2 s to compute, beside nothing: discarding wastes 16,000 token seconds."""
    policy = seed_policy("infercept")
    assert retain(policy, session(tool="unknown")) == Retention(0.0, "discard")  # 5 s are expected
    assert retain(policy, session(tool="quick", tools=["quick"], gaps=[0.9])) == Retention(1.0, "discard")
    busy = Engine(1000, 2000, 0, 1, 0, 1, 0, [])  # recomputing would make 32,000 tokens wait for 2 s more
    assert retain(policy, session(tool="unknown"), busy) == Retention(5.0, "discard")


def test_infercept_swaps_where_there_is_room_and_the_copies_waste_less() -> None:
    policy = seed_policy("infercept")
    roomy, full = (Engine(1000, 0, 0, 1, 0, 1, blocks, []) for blocks in (1000, 999))
    assert retain(policy, session(), roomy) == Retention(0.0, "swap")  # 2 copies of 0.1 s against 1 s
    assert retain(policy, session(), full).then == "discard"
    assert retain(policy, session(swap_s=0.6), roomy).then == "discard"


def test_infercept_serves_by_the_arrival_of_the_session() -> None:
    assert order("infercept", [turn(1, started=5.0), turn(2, started=3.0), turn(3, started=4.0)]) == [2, 3, 1]


def test_autellix_serves_programs_with_little_service_first() -> None:
    """Limits of 2, 4, 8 s; within a queue by arrival; who waited four times its service is back in the first."""
    waiting = [turn(1, served_s=10.0), turn(2, served_s=4.2), turn(3, served_s=1.7), turn(4, served_s=5.0)]
    assert order("autellix", waiting, now=5.0) == [3, 2, 4, 1]
    waiting[0].waited_s = 37.0
    assert order("autellix", waiting, now=5.0) == [1, 3, 2, 4]


def test_the_first_continuum_pins_quick_tools_for_two_seconds() -> None:
    policy = seed_policy("continuum_preview")
    assert retain(policy, session(tool="new", tools=[], gaps=[])).pin_s == 2.0
    assert retain(policy, session(tool="read", tools=["read"], gaps=[4.0])).pin_s == 0.0
    assert retain(policy, session(tool="ls", tools=["ls"], gaps=[1.9])).pin_s == 2.0
    assert retain(policy, session(tool="ls", tools=["ls"], gaps=[2.5])).pin_s == 0.0  # 2.2 on average


@pytest.mark.parametrize("name", ["continuum", "continuum_preview"])
def test_continuum_serves_the_preempted_the_pinned_and_then_the_oldest_program(name: str) -> None:
    waiting = [
        turn(1, started=3.0),
        turn(2, started=2.0),
        turn(3, started=4.0, pinned=True),
        turn(4, started=5.0, preempted=True),
    ]
    assert order(name, waiting) == [4, 3, 2, 1]


def test_continuum_begins_with_an_exponential_prior_of_one_second() -> None:
    """U(t) = (1 - exp(-t)) B - t is greatest at ln B."""
    policy = seed_policy("continuum")
    first = {"turns": 1, "tools": [], "gaps": [], "waited_s": 0.0}
    assert retain(policy, session(**first, recompute_s=math.e**2)).pin_s == pytest.approx(2.0)
    assert retain(policy, session(**first, recompute_s=0.9)).pin_s == 0.0


def test_continuum_maximizes_utility_over_what_it_has_measured() -> None:
    """200 calls of two tools; every other turn has waited for 6 s; a program of 5 turns has ended, so eta is 1."""
    policy, rng = seed_policy("continuum"), np.random.default_rng(1)
    seconds = {"read": rng.exponential(3.0, 150), "rare": rng.exponential(30.0, 50)}
    calls = [(tool, gap) for tool, gaps in seconds.items() for gap in gaps]
    for place, (tool, gap) in enumerate(calls):
        retain(policy, session(tools=[], gaps=[], waited_s=0.0), Engine(1000, 0, 0, 0, 0, 1, 0, [] if place else [5]))
        retain(policy, session(tools=[tool], gaps=[gap], waited_s=6.0 * (place % 2)))
    state = policy._functions
    assert state["eta"] == [1.0]
    turns, seconds_waited = state["waits"]  # of those whose KV was not kept
    assert 100 < turns <= 200
    benefit = 2.0 + seconds_waited / turns
    for tool, samples in (("read", seconds["read"]), ("rare", np.concatenate(list(seconds.values())))):
        grid = np.linspace(0.0, 60.0, 6001)
        utility = (samples[None, :] <= grid[:, None]).mean(axis=1) * benefit - grid
        found = policy.call("time_to_live", session(tool=tool))
        assert (samples <= found).mean() * benefit - found >= utility.max() - 1e-9


def test_the_seed_pins_but_for_slow_tools() -> None:
    policy = seed_policy("fixed_pin")
    assert retain(policy, session(tool="read")) == Retention(1.0, "lru")
    assert retain(policy, session(tool="slow", tools=["slow"], gaps=[61.0])) == Retention(0.0, "lru")
    assert order("fixed_pin", [turn(3), turn(1), turn(2)]) == [1, 2, 3]
