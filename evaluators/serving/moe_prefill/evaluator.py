"""The evaluator: engines with a mixture of experts under rising load, and the score of prefill policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.cost.models import Model, find_model
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.step import Refused
from evaluators.serving.moe_prefill.asking import Asking
from evaluators.serving.moe_prefill.recorded import Recorded
from evaluators.serving.moe_prefill.traffic import ExpertRecorder
from evaluators.serving.moe_prefill.workloads import Scenario, deployment_of, list_workloads, requests_of
from evaluators.serving.recorded.options import recorded_by
from evaluators.serving.slo.case import Case

SHOWN = (
    "slo_attainment", "ttft_mean_s", "ttft_p50_s", "ttft_p99_s", "tbt_mean_s", "tbt_p99_s", "e2e_mean_s",
    "throughput_tokens_per_s", "energy_joules_per_token", "busy", "kv_use", "preemptions_per_request",
)  # fmt: skip
DECISIONS = 100  # at most, for each request; 512 tokens at a time take some 14


class ServingMoePrefill:
    """Policies that divide prompts into tokens and layers, iteration by iteration.

    Args:
        trace: Score on a recorded trace instead of generated requests; see `evaluators.serving.moe_prefill.recorded`.
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
        """Serve the requests with the policy's prefill.

        Raises:
            WrongAnswer: chunks that cannot be run, an iteration with nothing in it, or requests that starve.
        """
        case = self._case(workload)
        recorder = ExpertRecorder(self._model(workload))
        asking = Asking(policy, case.requests[0], case.until, DECISIONS * len(case.requests))
        try:
            case.serve(asking, recorder)
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        metrics = metrics_of(recorder, case.deployment.kv_blocks, case.deployment.gpus)
        return {
            **{name: metrics[name] for name in SHOWN},
            "expert_gigabytes_per_request": recorder.expert_bytes / 1e9 / len(case.requests),
        }

    def bound(self, workload: Workload) -> Metrics:
        """See `evaluators.serving.slo.bound`, which holds however layers are divided; only the score has one."""
        return {"slo_attainment": self._case(workload).attainable}

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same requests."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = self._made(workload)
        return self._cases[workload.hash]

    def _made(self, workload: Workload) -> Case:
        if self._recorded is not None:
            return self._recorded.case(workload.parameters)
        return _case_of(Scenario(**workload.parameters))

    def _model(self, workload: Workload) -> Model:
        return find_model(workload.parameters["model"]) if self._recorded is None else self._recorded.model


def _case_of(scenario: Scenario) -> Case:
    return Case(requests_of(scenario), deployment_of(scenario.model, scenario.gpu, scenario.gpus))
