"""The clusters that policies are scored on, by regime and split.

A regime is a kind of cluster with a loader and a kind of drift; its seeds are its instances. Train and validation use
fixed seeds; test draws its seeds from the salt, and adds regimes whose cluster, loader or drift train never shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.placement.traffic import Scenario

INSTANCES = Instances()  # of each regime

_H100_4 = (80,) * 4
_H100_8 = (80,) * 8
_MIXED_6 = (40, 40, 80, 80, 80, 141)
_MIXED_10 = (40, 40, 40, 40, 80, 80, 80, 80, 141, 141)

FAMILIAR: dict[str, Scenario] = {
    "h100x4-recurring": Scenario(_H100_4, 10, "medium", 0.4, 1.1, "safetensors-cached", "recurring", 300, 0),
    "h100x4-burst": Scenario(_H100_4, 12, "small", 0.4, 1.1, "sllm-disk", "burst", 120, 0),
    "mixed6-release": Scenario(_MIXED_6, 14, "medium", 0.5, 1.1, "safetensors-disk", "release", 300, 0),
    "mixed6-steady": Scenario(_MIXED_6, 14, "large", 0.6, 1.1, "safetensors-disk", "steady", 300, 0),
    "h100x8-diurnal": Scenario(_H100_8, 20, "large", 0.5, 1.1, "safetensors-disk", "diurnal", 900, 0),
    "h100x8-burst": Scenario(_H100_8, 24, "medium", 0.4, 0.95, "safetensors-disk", "burst", 120, 0),
}
SHIFTED: dict[str, Scenario] = {
    "h100x4-rotation": Scenario(_H100_4, 12, "medium", 0.4, 1.1, "safetensors-cached", "rotation", 300, 0),
    "mixed6-surge": Scenario(_MIXED_6, 16, "medium", 0.5, 1.3, "sllm-cached", "surge", 120, 0),
    "mixed10-burst": Scenario(_MIXED_10, 28, "medium", 0.5, 1.1, "safetensors-cached", "burst", 120, 0),
    "mixed10-diurnal": Scenario(_MIXED_10, 24, "large", 0.5, 1.1, "sllm-disk", "diurnal", 900, 0),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """The synthetic workloads of a split, cheapest first."""
    return list_generated("placement", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES)


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def scenario_of(parameters: Mapping[str, Any]) -> Scenario:
    """The scenario that a workload's parameters describe."""
    return Scenario(**{**parameters, "gpus": tuple(parameters["gpus"])})
