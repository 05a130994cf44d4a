"""The evaluator: workloads, simulation and score of model placement policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.preparation import code_digest, remembered
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload
from evaluators.placement.bound import lowest_pressure
from evaluators.placement.fleet import Floats, Ints, check_placement
from evaluators.placement.recording import Recording
from evaluators.placement.timeline import Cluster, simulate, stay
from evaluators.placement.traffic import make_cluster
from evaluators.placement.workloads import list_workloads, scenario_of

MEMORY = remembered("placement")
CODE = code_digest(Path(__file__).parent)
VERSIONS = f"numpy {np.__version__}, highspy {version('highspy')}"
SMALLEST_GAP = 1e-3  # of the reference: a narrower gap is not worth closing and is not divided by


@dataclass(frozen=True)
class Case:
    """A workload ready to run, with the two ends of its scale."""

    cluster: Cluster
    unmoved: float  # mean worst pressure of the initial placement
    bound: float  # no policy's is lower

    def gap_closed(self, pressure: float) -> float:
        """Share of the gap between never moving and the bound; at most 1, negative above the initial placement's."""
        gap = max(self.unmoved - self.bound, SMALLEST_GAP * self.unmoved)
        return (self.unmoved - pressure) / gap if gap else 0.0  # nothing was ever asked for


class ModelPlacement:
    """Policies that place LLMs on shared GPUs, period after period, while their request rates drift.

    Args:
        recording: Score on a recorded cluster instead of the synthetic ones; see `evaluators.placement.recording`.

    Raises:
        InputError: a recording that cannot be used.
    """

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, recording: dict[str, Any] | None = None) -> None:
        self._recording = None if recording is None else Recording.from_options(recording)
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `evaluators.placement.workloads`; of a recording, its spans reserved for the split."""
        return list_workloads(split, salt) if self._recording is None else self._recording.workloads(split)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Simulate the cluster with the policy; see `timeline`.

        Raises:
            WrongAnswer: a call's answer is not a placement that fits.
        """
        case = self._case(workload)
        fleet, trace = case.cluster.fleet, case.cluster.trace

        def plan(rates: Floats, placement: Ints) -> Ints:
            answer = policy.call(
                "place",
                rates.copy(),
                fleet.slo.copy(),
                fleet.weights.copy(),
                fleet.load_seconds.copy(),
                fleet.memory.copy(),
                placement.copy(),
                float(trace.period_seconds),
            )
            return check_placement(answer, fleet)

        result = simulate(case.cluster, plan)
        return {
            "gap_closed": case.gap_closed(result.pressure),
            "worst_pressure": result.pressure,
            "moved_models": result.moved,
            "moved_gb": result.moved_gb,
            "late_share": result.late_share,
            "mean_wait": result.mean_wait,
        }

    def bound(self, workload: Workload) -> Metrics:
        """The best placement of each period, known ahead and for nothing; see `bound`."""
        return {"gap_closed": 1.0, "worst_pressure": self._case(workload).bound}

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same cluster."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = self._prepared(workload.parameters)
        return self._cases[workload.hash]

    def _prepared(self, parameters: Mapping[str, Any]) -> Case:
        if self._recording is not None:
            return _case_of(self._recording.cluster(parameters))
        case: Case = _generated(json.dumps(parameters, sort_keys=True), CODE, VERSIONS)
        return case


@MEMORY.cache
def _generated(parameters: str, code: str, versions: str) -> Case:
    """The case of a synthetic workload; seconds of work, so remembered beyond this process."""
    return _case_of(make_cluster(scenario_of(json.loads(parameters))))


def _case_of(cluster: Cluster) -> Case:
    return Case(cluster, simulate(cluster, stay).pressure, bound_pressure(cluster))


def bound_pressure(cluster: Cluster) -> float:
    """Mean worst pressure that no policy goes below: the best placement of each period's mean demand."""
    fleet, trace = cluster.fleet, cluster.trace
    bounds = []
    at = cluster.initial
    for period in range(trace.periods):
        optimum = lowest_pressure(fleet, trace.lived(period).mean(axis=0) / fleet.slo, at)
        bounds.append(optimum.bound)
        at = optimum.placement
    return float(np.mean(bounds))
