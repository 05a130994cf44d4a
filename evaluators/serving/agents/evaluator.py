"""The evaluator: agents' sessions on an instance, and the score of policies that keep their KV and order them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.serving.agents.asking import Asking
from evaluators.serving.agents.bound import Floats, least_completion_times
from evaluators.serving.agents.interface import Retention
from evaluators.serving.agents.job import Job
from evaluators.serving.agents.recompute import Recompute
from evaluators.serving.agents.simulation import AgentServing, Keeper
from evaluators.serving.agents.workloads import Scenario, list_workloads
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.metrics import joules_with_idle
from evaluators.serving.engine.sequence import Sequence as Call
from evaluators.serving.engine.step import Refused
from evaluators.serving.traffic.agents import AgentSession

LEAST_RECENTLY_USED = Retention()


@dataclass(frozen=True)
class CompletionTimes:
    """Seconds from the arrival of sessions to their last answers."""

    mean: float
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Floats) -> CompletionTimes:
        """Percentiles are interpolated."""
        return cls(float(seconds.mean()), float(np.percentile(seconds, 50)), float(np.percentile(seconds, 99)))

    def saved(self, reference: CompletionTimes) -> float:
        """The share by which the geometric mean of mean and p99 is below the reference's."""
        return 1.0 - float(np.sqrt(self.mean * self.p99 / (reference.mean * reference.p99)))


@dataclass(frozen=True)
class Case:
    """A workload ready to run, with the two ends of its scale."""

    deployment: Deployment
    sessions: Sequence[AgentSession]
    host_blocks: int
    recompute: Recompute
    reference: CompletionTimes
    bound: CompletionTimes

    @classmethod
    def of(cls, scenario: Scenario) -> Case:
        """Simulates the reference."""
        deployment, sessions = scenario.deployment, scenario.generate()
        reference = serve(deployment, sessions, scenario.host_blocks, AsVllm())
        return cls(
            deployment, sessions, scenario.host_blocks, Recompute(deployment), completion_times(reference),
            CompletionTimes.of(least_completion_times(deployment, sessions)),
        )  # fmt: skip


class AsVllm:
    """The reference: the least recently used KV is evicted, turns are admitted in order of arrival."""

    def retain(self, now: float, job: Job, sequence: Call, serving: AgentServing) -> Retention:
        """See `simulation.Keeper`."""
        return LEAST_RECENTLY_USED

    def order(self, now: float, waiting: Sequence[Call], serving: AgentServing) -> Sequence[int]:
        """See `simulation.Keeper`."""
        return [each.id for each in waiting]


class ServingAgents:
    """Policies that keep the KV of agents' sessions while tools run, and say whose turn is next."""

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`."""
        return list_workloads(split, salt)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Serve the sessions to the end. Raises WrongAnswer for answers that break the rules."""
        case = self._case(workload)
        try:
            serving = serve(case.deployment, case.sessions, case.host_blocks, Asking(policy, case.recompute))
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        times = completion_times(serving)
        return {
            "saved": times.saved(case.reference),
            "jct_mean_s": times.mean,
            "jct_p50_s": times.p50,
            "jct_p99_s": times.p99,
            **usage(serving),
        }

    def bound(self, workload: Workload) -> Metrics:
        """See `bound`."""
        case = self._case(workload)
        least = case.bound
        return {
            "saved": least.saved(case.reference),
            "jct_mean_s": least.mean,
            "jct_p50_s": least.p50,
            "jct_p99_s": least.p99,
        }

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same sessions."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = Case.of(Scenario(**workload.parameters))
        return self._cases[workload.hash]


def serve(deployment: Deployment, sessions: Sequence[AgentSession], host_blocks: int, keeper: Keeper) -> AgentServing:
    """Serve sessions to the end."""
    serving = AgentServing(deployment, sessions, host_blocks, keeper)
    serving.run()
    return serving


def completion_times(serving: AgentServing) -> CompletionTimes:
    """Of the sessions of a run that is over."""
    return CompletionTimes.of(np.array([job.finished - job.session.arrival for job in serving.jobs.values()]))


def usage(serving: AgentServing) -> dict[str, float]:
    """What became of the KV in a run that is over."""
    jobs, recorder = list(serving.jobs.values()), serving.recorder
    calls = [turn for job in jobs for turn in job.session.turns]
    prompts = sum(turn.prompt_tokens for turn in calls)
    answers = sum(turn.output_tokens for turn in calls)
    needed = sum(turn.new_tokens for turn in calls) + answers
    span = serving.instance.clock - jobs[0].session.arrival
    joules = joules_with_idle(recorder, serving.instance.deployment.power.idle_watts, span)
    return {
        "hit_rate": float(recorder.columns()["cached_tokens"].sum()) / prompts,
        "recomputed_tokens": float(max(0, recorder.computed_tokens - needed)),
        "evicted_blocks": float(serving.cache.evicted),
        "pinned_share": serving.pins.block_seconds(serving.instance.clock) / (serving.instance.kv.total * span),
        "pins_yielded": float(serving.pins.yielded),
        "swaps": float(serving.host.swaps),
        "preemptions": float(recorder.columns()["preemptions"].sum()),
        "waited_per_turn_s": sum(job.waited for job in jobs) / len(calls),
        "turns_per_s": len(calls) / span,
        "busy": recorder.busy / span,
        "energy_with_idle_joules_per_token": joules / (prompts + answers),
    }
