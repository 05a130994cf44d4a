"""The evaluator: workloads, simulation and score of expert placement policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adrs.errors import InputError
from adrs.evaluation.interface import Interface
from adrs.evaluation.preparation import code_digest, remembered
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload
from evaluators.moe.cost import CostModel
from evaluators.moe.hardware import Cluster
from evaluators.moe.history import History
from evaluators.moe.placement import Ints, check_placement
from evaluators.moe.shapes import shape
from evaluators.moe.timeline import Deployment, bound_throughput, simulate, stay
from evaluators.moe.traffic import make_trace
from evaluators.moe.workloads import list_workloads, scenario_of

MEMORY = remembered("moe")
CODE = code_digest(Path(__file__).parent)
SMALLEST_GAP = 1e-3  # of the reference: a narrower gap is not worth closing and is not divided by


@dataclass(frozen=True)
class Case:
    """A workload ready to run, with the two ends of its scale."""

    deployment: Deployment
    unbalanced: float  # tokens/s without rebalancing
    bound: float  # tokens/s that no policy exceeds

    def gap_closed(self, throughput: float) -> float:
        """Share of the gap between no rebalancing and the bound; at most 1, negative below no rebalancing."""
        return (throughput - self.unbalanced) / max(self.bound - self.unbalanced, SMALLEST_GAP * self.unbalanced)


class ExpertPlacement:
    """Policies that place the experts of a mixture-of-experts model on GPUs and move them as the load drifts.

    Args:
        models: Keep only the synthetic workloads of these models (names in `evaluators.moe.shapes`).
        history: Score on a recorded load history instead; see `evaluators.moe.history`.

    Raises:
        InputError: an unknown model, or a history that cannot be used.
    """

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, models: Sequence[str] | None = None, history: dict[str, Any] | None = None) -> None:
        if models is not None and history is not None:
            raise InputError("options: give either 'models' or 'history', not both")
        self._models = None if models is None else tuple(shape(name).name for name in models)
        self._history = None if history is None else History.from_options(history)
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `evaluators.moe.workloads`; of a recorded history, its stretches reserved for the split."""
        if self._history is not None:
            return self._history.workloads(split)
        workloads = list_workloads(split, salt, self._models)
        if not workloads:
            raise InputError(f"options: no {split} workload has one of the models {', '.join(self._models or ())}")
        return workloads

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Simulate the deployment with the policy; see `timeline`.

        Raises:
            WrongAnswer: a call's answer is not a placement.
        """
        case = self._case(workload)
        deployment = case.deployment
        trace, cost = deployment.trace, deployment.cost

        def plan(window: npt.NDArray[np.float64], placement: Ints) -> Ints:
            answer = policy.call(
                "rebalance_experts",
                window.copy(),
                deployment.slots,
                cost.model.groups,
                cost.cluster.nodes,
                cost.cluster.gpus,
                placement.copy(),
            )
            return check_placement(answer, trace.layers, trace.experts, deployment.slots)

        result = simulate(deployment, plan)
        return {
            "gap_closed": case.gap_closed(result.throughput),
            "tokens_per_second": result.throughput,
            "balancedness": result.balance,
            "moved_gb": result.moved_bytes / 1e9,
            "communication_share": result.communication / result.seconds,
            "stalled_share": result.stalled / result.seconds,
            "prefill_layer_ms": result.prefill_layer * 1e3,
            "decode_layer_ms": result.decode_layer * 1e3,
        }

    def bound(self, workload: Workload) -> Metrics:
        """The clairvoyant bound at the same number of slots; see `bound`."""
        return {"gap_closed": 1.0, "tokens_per_second": self._case(workload).bound, "balancedness": 1.0}

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same loads."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = self._prepared(workload.parameters)
        return self._cases[workload.hash]

    def _prepared(self, parameters: Mapping[str, Any]) -> Case:
        if self._history is not None:
            return _case_of(self._history.deployment(parameters))
        case: Case = _generated(json.dumps(parameters, sort_keys=True), CODE, np.__version__)
        return case


@MEMORY.cache
def _generated(parameters: str, code: str, numpy: str) -> Case:
    """The case of a synthetic workload; seconds of work, so remembered beyond this process."""
    scenario = scenario_of(json.loads(parameters))
    cost = CostModel(shape(scenario.model), Cluster(scenario.nodes, scenario.gpus_per_node))
    return _case_of(Deployment(cost, make_trace(scenario), scenario.slots, scenario.interval, scenario.asynchronous))


def _case_of(deployment: Deployment) -> Case:
    return Case(deployment, simulate(deployment, stay).throughput, bound_throughput(deployment))
