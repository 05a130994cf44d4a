"""The sessions that policies are scored on, by regime and split.

A regime is a kind of agent on a deployment whose KV cache holds fewer sessions than are open; its seeds are its
instances. Train and validation use fixed seeds, test draws its seeds from the salt; validation and test each add
regimes that no other split shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cost.deployment import Deployment, deployment
from evaluators.serving.traffic.agent_profiles import CODING, MINI_SWE, TEAM
from evaluators.serving.traffic.agents import AgentProfile, AgentSession, generate
from evaluators.serving.traffic.lengths import Lognormal

INSTANCES = Instances(train=1, validation=2, test=3)


def _autonomous(profile: AgentProfile, longest: int, context: int) -> AgentProfile:
    """Sessions without a user's turns, no longer than so many turns, on a model with a smaller context window.

    A person's turn ends a job: what follows is another. Of a few dozen sessions the longest would otherwise decide the
    99th percentile alone, whatever is done for the others.
    """
    tools = [tool for tool in profile.tools if tool.name != "user"]
    share = sum(tool.share for tool in tools)
    turns = profile.turns
    return replace(
        profile,
        tools=tuple(replace(tool, share=tool.share / share) for tool in tools),
        turns=replace(turns, high=longest) if isinstance(turns, Lognormal) else turns,
        context_limit=context,
    )


PROFILES = {
    "attended": replace(CODING, turns=Lognormal(20, 0.5, high=40), context_limit=128_000),  # with a user's turns
    "coding": _autonomous(CODING, 90, 128_000),
    "mini-swe": MINI_SWE,
    "team": TEAM,
}
KEYS = len({profile.key for profile in PROFILES.values()})  # each draws from a seed of its own; "attended" as "coding"


@dataclass(frozen=True)
class Scenario:
    """Sessions of agents on an instance.

    Args:
        agents: Names in `PROFILES`, and which share of the sessions is of this kind.
        rate: Sessions a second.
        sessions: How many, all kinds together.
        host_blocks: KV blocks of 16 tokens that host memory has room for.
    """

    agents: Mapping[str, float]
    model: str
    gpu: str
    gpus: int
    rate: float
    sessions: int
    host_blocks: int = 0
    seed: int = 0

    @property
    def deployment(self) -> Deployment:
        """The instance."""
        return _deployment(self.model, self.gpu, self.gpus)

    def generate(self) -> list[AgentSession]:
        """The sessions in order of arrival, numbered."""
        sessions = [
            session
            for agent, share in self.agents.items()
            for session in generate(
                PROFILES[agent],
                self.rate * share,
                self.seed * KEYS + PROFILES[agent].key,
                count=round(self.sessions * share),
            )
        ]
        sessions.sort(key=lambda session: session.arrival)
        return [replace(session, id=place) for place, session in enumerate(sessions)]


@cache
def _deployment(model: str, gpu: str, gpus: int) -> Deployment:
    return deployment(model, gpu, gpus)


_CODING, _MINI_SWE, _TEAM, _ATTENDED = {"coding": 1.0}, {"mini-swe": 1.0}, {"team": 1.0}, {"attended": 1.0}
_MIXED = {"coding": 0.3, "mini-swe": 0.7}

# Loads at which the sessions that are open at a time have several times the KV that fits.
FAMILIAR: dict[str, Scenario] = {
    "mini-swe-8b-h100": Scenario(_MINI_SWE, "Llama-3.1-8B", "H100", 1, 4.0, 100),
    "mini-swe-70b-h100": Scenario(_MINI_SWE, "Llama-3.1-70B", "H100", 4, 3.0, 110),
    "coding-70b-h100": Scenario(_CODING, "Llama-3.1-70B", "H100", 4, 0.1, 28),
    "coding-8b-h100": Scenario(_CODING, "Llama-3.1-8B", "H100", 1, 0.15, 28),
    "coding-32b-h100-host": Scenario(_CODING, "Qwen3-32B", "H100", 2, 0.04, 20, 16_000),
}
VALIDATION_ONLY: dict[str, Scenario] = {
    "attended-70b-h100": Scenario(_ATTENDED, "Llama-3.1-70B", "H100", 4, 0.3, 70),
    "mini-swe-32b-h100": Scenario(_MINI_SWE, "Qwen3-32B", "H100", 2, 1.5, 90),
}
SHIFTED: dict[str, Scenario] = {
    "mini-swe-8b-a100-host": Scenario(_MINI_SWE, "Llama-3.1-8B", "A100", 1, 2.0, 90, 16_000),
    "team-30b-a3b-h100": Scenario(_TEAM, "Qwen3-30B-A3B", "H100", 1, 0.6, 60),
    "mixed-8b-h100-host": Scenario(_MIXED, "Llama-3.1-8B", "H100", 1, 0.12, 70, 16_000),
    "mixed-70b-h100": Scenario(_MIXED, "Llama-3.1-70B", "H100", 4, 0.1, 70),
    "coding-70b-a100": Scenario(_CODING, "Llama-3.1-70B", "A100", 4, 0.03, 20),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """See `list_generated`."""
    return list_generated("agents", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES, VALIDATION_ONLY)


def _parameters(scenario: Scenario, seed: int) -> Mapping[str, Any]:
    return asdict(scenario) | {"seed": seed}
