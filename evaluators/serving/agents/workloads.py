"""The sessions that policies are scored on, by regime and split.

A regime is a kind of agent on a deployment whose KV cache holds fewer sessions than are open; its seeds are its
instances. Train and validation use fixed seeds; test draws its seeds from the salt, and adds regimes that train lacks.
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

INSTANCES = Instances(train=1, validation=3, test=3)


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
    "coding": _autonomous(CODING, 90, 96_000),
    "mini-swe": MINI_SWE,
    "team": TEAM,
}


@dataclass(frozen=True)
class Scenario:
    """Sessions of agents on an instance.

    Args:
        agent: A name in `PROFILES`.
        rate: Sessions a second.
        sessions: How many.
        host_blocks: KV blocks of 16 tokens that host memory has room for.
    """

    agent: str
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
        """The sessions in order of arrival."""
        return list(generate(PROFILES[self.agent], self.rate, self.seed, count=self.sessions))


@cache
def _deployment(model: str, gpu: str, gpus: int) -> Deployment:
    return deployment(model, gpu, gpus)


FAMILIAR: dict[str, Scenario] = {
    "mini-swe-8b-h100": Scenario("mini-swe", "Llama-3.1-8B", "H100", 1, 2.0, 100),
    "coding-8b-h100": Scenario("coding", "Llama-3.1-8B", "H100", 1, 0.02, 30),
    "coding-70b-h100": Scenario("coding", "Llama-3.1-70B", "H100", 4, 0.02, 30),
    "team-8b-h100": Scenario("team", "Llama-3.1-8B", "H100", 1, 1.0, 80),
}
SHIFTED: dict[str, Scenario] = {}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """Train and validation show the familiar regimes; test shows all."""
    return list_generated("agents", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES)


def _parameters(scenario: Scenario, seed: int) -> Mapping[str, Any]:
    return asdict(scenario) | {"seed": seed}
