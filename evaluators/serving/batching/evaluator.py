"""The evaluator: streams of requests, the simulated engine, and how many requests a policy serves within their SLOs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.batching.asking import Asking
from evaluators.serving.batching.case import Case, case_of
from evaluators.serving.batching.workloads import list_workloads, scenario_of
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.step import Refused


class ServingBatching:
    """Policies that decide what an LLM engine computes in each iteration."""

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`."""
        return list_workloads(split, salt)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Serve the stream with the policy's batches; see `evaluators.serving.engine`.

        Raises:
            WrongAnswer: a step that the engine cannot do, that computes nothing, or requests that starve.
        """
        case = self._case(workload)
        scheduler = Asking(policy, case.until)
        try:
            recorder = case.serve(scheduler)
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        metrics = metrics_of(recorder, case.deployment.kv_blocks, case.deployment.gpus)
        return {**metrics, "decisions_per_request": scheduler.decisions / recorder.finished}

    def bound(self, workload: Workload) -> Metrics:
        """See `bound`; only the attainment has one."""
        return {"slo_attainment": self._case(workload).attainable}

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same streams."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = case_of(*scenario_of(workload.parameters))
        return self._cases[workload.hash]
