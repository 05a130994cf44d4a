"""The streams that schedulers are scored on, by regime, level of load and split.

A regime is a scenario; an instance of it is a seed, which draws the requests and the exact load of each level. The
levels of an instance serve the same requests, faster and faster, and make one cluster. Train and validation use fixed
seeds, test draws its seeds from the salt; validation and test each add regimes that no other split shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.batching.scenarios import Scenario

INSTANCES = Instances(train=1, validation=2, test=3)  # of each regime

MEDIUM = ((0.55, 0.65), (0.75, 0.85), (0.95, 1.05))
LOW = ((0.1, 0.2), (0.25, 0.35), (0.4, 0.5))  # where bursts alone are more than the engine can do in time
HIGH = ((0.75, 0.85), (0.95, 1.05), (1.15, 1.25))

FAMILIAR: dict[str, Scenario] = {
    "conversation-8b-h100": Scenario("conversation", "Llama-3.1-8B", "H100", 1, MEDIUM),
    "code-8b-a100": Scenario("code", "Llama-3.1-8B", "A100", 1, LOW),
    "conversation-70b-4a100": Scenario("conversation-predicted", "Llama-3.1-70B", "A100", 4, MEDIUM),
    "burstgpt-7b-a10": Scenario("burstgpt", "LLaMA-7B", "A10", 1, HIGH, most_tokens=2048),
    "tenants-32b-2h100": Scenario("two-tenants", "Qwen3-32B", "H100", 2, HIGH),
    "turns-8b-a100": Scenario("turns", "Llama-3.1-8B", "A100", 1, MEDIUM),
}
VALIDATION_ONLY: dict[str, Scenario] = {
    "background-8b-a100": Scenario("background", "Llama-3.1-8B", "A100", 1, MEDIUM),
    "code-70b-4h100": Scenario("code-relaxed", "Llama-3.1-70B", "H100", 4, HIGH),
}
SHIFTED: dict[str, Scenario] = {
    "clients-8b-h100": Scenario("clients", "Llama-3.1-8B", "H100", 1, LOW),
    "small-clients-7b-a10": Scenario("small-clients", "LLaMA-7B", "A10", 1, MEDIUM, most_tokens=2048),
    "papers-mistral-a100": Scenario("papers", "Mistral-7B", "A100", 1, HIGH),
    "chat-mistral-a100": Scenario("chat", "Mistral-7B", "A100", 1, MEDIUM),
    "chat-70b-4h100": Scenario("chat-relaxed", "Llama-3.1-70B", "H100", 4, HIGH),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """See `list_generated`."""
    instances = list_generated(
        "serving_batching", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES, VALIDATION_ONLY
    )
    return [level for instance in instances for level in _levels(instance)]


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def _levels(instance: Workload) -> list[Workload]:
    """One workload a level."""
    parameters = dict(instance.parameters)
    ranges = parameters.pop("loads")
    draws = np.random.default_rng(parameters["seed"]).random(len(ranges)).tolist()
    loads = [round(low + draw * (high - low), 3) for (low, high), draw in zip(ranges, draws, strict=True)]
    return [
        Workload(f"{instance.name}-{load}", instance.regime, instance.cluster, parameters | {"load": load})
        for load in loads
    ]


def scenario_of(parameters: Mapping[str, Any]) -> tuple[Scenario, float, int]:
    """The scenario, load and seed of a workload."""
    fields = dict(parameters)
    seed, load = fields.pop("seed"), fields.pop("load")
    return Scenario(**fields, loads=()), load, seed
