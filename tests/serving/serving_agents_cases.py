"""Small sessions on a small instance, and policies given as functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from adrs.testing.direct import DirectPolicy
from evaluators.serving.agents import interface
from evaluators.serving.agents.asking import Asking
from evaluators.serving.agents.interface import Engine, Retention, Session, Turn
from evaluators.serving.agents.recompute import Recompute
from evaluators.serving.agents.simulation import AgentServing
from evaluators.serving.cost.deployment import Deployment, deployment
from evaluators.serving.traffic.agents import AgentProfile, AgentSession, Tool, generate
from evaluators.serving.traffic.lengths import Lognormal

SEEDS = Path(__file__).parents[2] / "seeds" / "agent_serving"
SMALL = AgentProfile(
    name="small", key=7, turns=Lognormal(5, 0.5, low=1, high=9), system_tokens=40, task=Lognormal(100, 1.0, high=500),
    results=Lognormal(60, 1.0, high=300), answers=Lognormal(20, 1.0, high=150),
    tools=(Tool("quick", 0.7, 1.0, 0.5), Tool("slow", 0.3, 20.0, 1.0)), context_limit=900, summary=50,
)  # fmt: skip
TEAM = replace(SMALL, name="small team", roles=3, stay=0.5)

Retain = Callable[[float, Session, Engine], Retention]
Order = Callable[[float, list[Turn], Engine], list[int]]


def small_instance(kv_blocks: int = 80) -> Deployment:
    """Llama-3.1-8B on an H100 that has hardly any KV cache: the longest small session takes 57 blocks."""
    return replace(deployment("Llama-3.1-8B", "H100"), kv_blocks=kv_blocks)


def small_sessions(count: int, seed: int, rate: float = 2.0, profile: AgentProfile = SMALL) -> list[AgentSession]:
    return list(generate(profile, rate, seed, count=count))


def evict(now: float, session: Session, engine: Engine) -> Retention:
    return Retention()


def in_turn(now: float, waiting: list[Turn], engine: Engine) -> list[int]:
    return [turn.id for turn in waiting]


def serving(
    instance: Deployment, sessions: list[AgentSession], retain: Retain = evict, order: Order = in_turn, host: int = 0
) -> AgentServing:
    """Ready to run with a policy of two functions."""
    asking = Asking(DirectPolicy({"retain": retain, "order": order}), Recompute(instance))
    return AgentServing(instance, sessions, host, asking)


def seed_policy(name: str) -> DirectPolicy:
    """A policy of `seeds/agent_serving`."""
    sys.modules["interface"] = interface  # under which name policies import it
    return DirectPolicy.from_source((SEEDS / f"{name}.py").read_text())
