"""The evaluator: engines with a mixture of experts under rising load, and the score of prefill policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.cost.models import find_model
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.step import Refused
from evaluators.serving.moe_prefill.asking import Asking
from evaluators.serving.moe_prefill.traffic import ExpertRecorder
from evaluators.serving.moe_prefill.workloads import Scenario, deployment_of, list_workloads, requests_of
from evaluators.serving.slo.case import Case

SHOWN = (
    "slo_attainment", "ttft_mean_s", "ttft_p50_s", "ttft_p99_s", "tbt_mean_s", "tbt_p99_s", "e2e_mean_s",
    "throughput_tokens_per_s", "energy_joules_per_token", "busy", "kv_use", "preemptions_per_request",
)  # fmt: skip
DECISIONS = 100  # at most, for each request; 512 tokens at a time take some 14


class ServingMoePrefill:
    """Policies that divide prompts into tokens and layers, iteration by iteration."""

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`."""
        return list_workloads(split, salt)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Serve the requests with the policy's prefill.

        Raises:
            WrongAnswer: chunks that cannot be run, an iteration with nothing in it, or requests that starve.
        """
        case = self._case(workload)
        recorder = ExpertRecorder(find_model(workload.parameters["model"]))
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
            self._cases[workload.hash] = _case_of(Scenario(**workload.parameters))
        return self._cases[workload.hash]


def _case_of(scenario: Scenario) -> Case:
    return Case(requests_of(scenario), deployment_of(scenario.model, scenario.gpu, scenario.gpus))
