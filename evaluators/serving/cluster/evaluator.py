"""The evaluator: streams of requests, the simulated cluster and the score of its dispatcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.cluster.bound import bounds
from evaluators.serving.cluster.dispatcher import PolicyDispatcher
from evaluators.serving.cluster.outcome import Floats, Outcome
from evaluators.serving.cluster.recorded import Recorded
from evaluators.serving.cluster.round_robin import RoundRobin
from evaluators.serving.cluster.score import PRIORITY_WEIGHT, Losses, Scale
from evaluators.serving.cluster.simulator import Cluster, Dispatcher, Setting
from evaluators.serving.cluster.workloads import Scenario, list_workloads
from evaluators.serving.engine.metrics import distribution
from evaluators.serving.engine.step import Refused
from evaluators.serving.recorded.options import recorded_by
from evaluators.serving.request import Request

PATIENCE = 4.0  # times what a single instance would need for one request after the other


@dataclass(frozen=True)
class Case:
    """A workload ready to run, with the two ends of its scale."""

    setting: Setting
    requests: Sequence[Request]
    weights: Floats
    scale: Scale
    latest: float

    @classmethod
    def of(cls, setting: Setting, requests: Sequence[Request]) -> Case:
        """With the bounds of the requests, and a run with round-robin on the instances that are ready."""
        limits = bounds(setting.deployment, requests, setting.prefix_cache)
        weights = np.array([PRIORITY_WEIGHT if request.priority else 1.0 for request in requests])
        reference = Cluster(setting, RoundRobin()).run(requests)
        scale = Scale(Losses.of(reference, weights), Losses.least(limits, weights))
        latest = requests[-1].arrival + setting.load_seconds + PATIENCE * float(limits.e2e.sum())
        return cls(setting, requests, weights, scale, latest)

    def run(self, dispatcher: Dispatcher) -> tuple[Cluster, Outcome]:
        """Simulate the cluster with a dispatcher."""
        cluster = Cluster(self.setting, dispatcher)
        return cluster, cluster.run(self.requests, self.latest)


class ServingCluster:
    """Policies that route requests to instances, migrate them, and start and stop instances.

    Args:
        trace: Score on a recorded trace instead of generated streams; see `evaluators.serving.cluster.recorded`.
        deployment: What serves the trace; see there.

    Raises:
        InputError: a trace or a deployment that cannot be used.
    """

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, trace: dict[str, Any] | None = None, deployment: dict[str, Any] | None = None) -> None:
        self._recorded = recorded_by(Recorded.from_options, trace, deployment)
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`; of a recorded trace, its streams reserved for the split."""
        return list_workloads(split, salt) if self._recorded is None else self._recorded.workloads(split)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Serve the stream with the policy's decisions.

        Raises:
            WrongAnswer: an instance or a request that does not exist or is in no state for it, no instance left
                ready, or requests that are never finished.
        """
        case = self._case(workload)
        try:
            _, outcome = case.run(PolicyDispatcher(policy))
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        losses = Losses.of(outcome, case.weights)
        requests = len(case.requests)
        return {
            "gap_closed": case.scale.gap_closed(losses),
            "ttft_tail_s": losses.ttft_tail,
            "e2e_tail_s": losses.e2e_tail,
            "instance_s": losses.instance_seconds,
            "instances_mean": losses.instance_seconds / outcome.end,
            "energy_with_idle_joules_per_token": outcome.joules_with_idle_per_token,
            **distribution("ttft", outcome.ttft),
            **distribution("e2e", outcome.e2e),
            "preemptions_per_request": float(outcome.preemptions.sum()) / requests,
            "migrations_per_request": outcome.migrations / requests,
            "handed_over_per_request": outcome.handed_over / requests,
            "migrations_aborted": float(outcome.aborted),
            "downtime_mean_s": outcome.downtime,
            "fragmentation": outcome.fragmentation,
            "cached_share": outcome.cached_share,
        }

    def bound(self, workload: Workload) -> Metrics:
        """See `bound`; the score's is below 1 where a gap is narrower than the smallest that counts in full."""
        scale = self._case(workload).scale
        return {
            "gap_closed": scale.gap_closed(scale.least),
            "ttft_tail_s": scale.least.ttft_tail,
            "e2e_tail_s": scale.least.e2e_tail,
            "instance_s": scale.least.instance_seconds,
        }

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same streams."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = Case.of(*self._made(workload.parameters))
        return self._cases[workload.hash]

    def _made(self, parameters: Mapping[str, Any]) -> tuple[Setting, Sequence[Request]]:
        if self._recorded is not None:
            return self._recorded.cluster(parameters)
        scenario = Scenario(**parameters)
        return scenario.setting(), scenario.stream()
