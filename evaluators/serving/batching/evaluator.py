"""The evaluator: streams of requests, the simulated engine, and how many requests a policy serves within their SLOs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.batching.asking import Asking
from evaluators.serving.batching.case import case_of
from evaluators.serving.batching.recorded import Recorded
from evaluators.serving.batching.workloads import list_workloads, scenario_of
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.step import Refused
from evaluators.serving.recorded.options import recorded_by
from evaluators.serving.slo.case import Case


class ServingBatching:
    """Policies that decide what an LLM engine computes in each iteration.

    Args:
        trace: Score on a recorded trace instead of generated streams; see `evaluators.serving.batching.recorded`.
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
        """Serve the stream with the policy's batches; see `evaluators.serving.engine`.

        Raises:
            WrongAnswer: a step that the engine cannot do, that computes nothing, or requests that starve.
        """
        case = self._case(workload)
        scheduler, recorder = Asking(policy, case.until), Recorder()
        try:
            case.serve(scheduler, recorder)
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        metrics = metrics_of(recorder, case.deployment.kv_blocks, case.deployment.gpus)
        return {**metrics, "decisions_per_request": scheduler.decisions / recorder.finished}

    def bound(self, workload: Workload) -> Metrics:
        """See `evaluators.serving.slo.bound`; only the attainment has one."""
        return {"slo_attainment": self._case(workload).attainable}

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same streams."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = self._made(workload.parameters)
        return self._cases[workload.hash]

    def _made(self, parameters: Mapping[str, Any]) -> Case:
        return case_of(*scenario_of(parameters)) if self._recorded is None else self._recorded.case(parameters)
