"""The deployments that policies are scored on, by regime and split.

A regime is a model on a cluster with a way of serving and a kind of drift; its seeds are its instances. Train and
validation use fixed seeds; test draws its seeds from the salt, and adds regimes whose model, cluster or drift train
never shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.moe.traffic import Drift, Scenario, Serving

INSTANCES = Instances()  # of each regime; train's one is soon learned by heart, so validation has more
TEST_CLUSTERS = 24  # at least so many instances, also where few regimes are left


def _regime(
    model: str, nodes: int, gpus: int, slots: int, serving: Serving, exponent: float, drift: Drift, **extra: Any
) -> Scenario:
    return Scenario(model, nodes, gpus, slots, serving, exponent, drift, 0, **extra)


# SGLang rebalances every 1,000 passes and stops for it (server_args: eplb_rebalance_num_iterations 1000); the defaults
# of Scenario are vLLM's (EPLBConfig: window_size 1000, step_interval 3000, use_async).
_SGLANG: dict[str, Any] = {"asynchronous": False, "interval": 1000, "window": 1000}

# Cheapest first. Slots: DeepSeek-V3 serves with 32 redundant experts on 32 GPUs (its report, section 3.4.1).
FAMILIAR: dict[str, Scenario] = {
    "mixtral-ep8-mixed-shift": _regime("mixtral-8x7b", 1, 8, 16, "mixed", 0.6, "shift", decode_tokens=256),
    "qwen3-ep8-decode-burst": _regime("qwen3-30b-a3b", 1, 8, 136, "decode", 1.01, "burst", decode_tokens=256),
    "qwen3-ep16-prefill-drift": _regime("qwen3-30b-a3b", 2, 8, 144, "prefill", 1.01, "drift"),
    "dsv3-ep16-decode-recurring": _regime("deepseek-v3", 2, 8, 272, "decode", 1.01, "recurring", **_SGLANG),
    "dsv3-ep32-decode-drift": _regime("deepseek-v3", 4, 8, 288, "decode", 1.2, "drift"),
    "dsv3-ep32-decode-burst": _regime("deepseek-v3", 4, 8, 288, "decode", 1.01, "burst", **_SGLANG),
    "dsv3-ep32-prefill-steady": _regime("deepseek-v3", 4, 8, 288, "prefill", 1.01, "steady"),
}
SHIFTED: dict[str, Scenario] = {
    "dsv2lite-ep8-mixed-rotation": _regime("deepseek-v2-lite", 1, 8, 72, "mixed", 1.01, "rotation"),
    "qwen3-235b-ep16-decode-rotation": _regime("qwen3-235b-a22b", 2, 8, 160, "decode", 1.01, "rotation", **_SGLANG),
    "qwen3-ep8-decode-surge": _regime("qwen3-30b-a3b", 1, 8, 128, "decode", 1.2, "surge", decode_tokens=256),
    "dsv3-ep64-decode-surge": _regime("deepseek-v3", 8, 8, 320, "decode", 1.01, "surge"),
    "dsv3-ep64-prefill-drift": _regime("deepseek-v3", 8, 8, 320, "prefill", 0.8, "drift", **_SGLANG),
}


def list_workloads(split: Split, salt: int, models: tuple[str, ...] | None) -> list[Workload]:
    """The synthetic workloads of a split, cheapest first; of all models, or of those named."""
    familiar, shifted = _of_models(FAMILIAR, models), _of_models(SHIFTED, models)
    tests = max(INSTANCES.test, -(-TEST_CLUSTERS // max(1, len(familiar) + len(shifted))))
    instances = replace(INSTANCES, test=tests)
    return list_generated("moe", split, salt, familiar, shifted, _parameters, instances)


def _of_models(regimes: Mapping[str, Scenario], models: tuple[str, ...] | None) -> dict[str, Scenario]:
    return {name: scenario for name, scenario in regimes.items() if models is None or scenario.model in models}


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def scenario_of(parameters: Mapping[str, Any]) -> Scenario:
    """The scenario that a workload's parameters describe."""
    return Scenario(**parameters)
