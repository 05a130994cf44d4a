"""The evaluator: streams of transactions, the simulated database and the score of admission policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.transactions.admission.bound import Bounds, bounds
from evaluators.transactions.admission.interface import Pending, Running
from evaluators.transactions.admission.recorded import Recorded
from evaluators.transactions.admission.workloads import Scenario, instance, list_workloads
from evaluators.transactions.locking import Attempt, Choose, Outcome, Refused, Rules, first_come, simulate
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.transaction import Transaction

WINDOW = 32  # pending transactions that a policy sees
RULES = Rules(operation=1.0, commit=2.0, backoff=10.0)
SMALLEST_GAP = 1e-3  # of the reference: a narrower gap is not worth closing and is not divided by
WAIT = -1  # the answer that leaves an executor idle


@dataclass(frozen=True)
class Case:
    """A workload ready to run, with the two ends of its scale."""

    transactions: Sequence[Transaction]
    arrivals: Floats
    executors: int
    reference: float  # root mean square latency of admission in order of arrival
    bounds: Bounds

    def gap_closed(self, latency: float) -> float:
        """Share of the gap between order of arrival and the bound; at most 1, negative beyond order of arrival."""
        gap = max(self.reference - self.bounds.rms_latency, SMALLEST_GAP * self.reference)
        return (self.reference - latency) / gap

    def run(self, choose: Choose) -> Outcome:
        """Simulate the database under an admission."""
        return simulate(self.transactions, self.arrivals, self.executors, RULES, choose, WINDOW)


class TransactionAdmission:
    """Policies that decide which of the pending transactions a free executor starts, and when.

    Args:
        trace: Score on a recorded trace instead of generated streams; see `evaluators.transactions.admission.recorded`.

    Raises:
        InputError: a trace that cannot be used.
    """

    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, trace: dict[str, Any] | None = None) -> None:
        self._recorded = None if trace is None else Recorded.from_options(trace)
        self._cases: dict[str, Case] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`; of a recorded trace, its streams reserved for the split."""
        return list_workloads(split, salt) if self._recorded is None else self._recorded.workloads(split)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Simulate strict two-phase locking with the policy's admission; see `evaluators.transactions.locking`.

        Raises:
            WrongAnswer: an id that is not pending, or waiting while nothing runs.
        """
        case = self._case(workload)
        try:
            outcome = case.run(asking(policy, case.transactions, case.arrivals))
        except Refused as refusal:
            raise WrongAnswer(str(refusal)) from None
        latency = outcome.latency
        rms = root_mean_square(latency)
        return {
            "gap_closed": case.gap_closed(rms),
            "rms_latency": rms,
            "mean_latency": float(latency.mean()),
            "p50_latency": float(np.percentile(latency, 50)),
            "p99_latency": float(np.percentile(latency, 99)),
            "throughput": outcome.throughput,
            "aborts": float(outcome.aborts.sum()),
            "wasted_share": outcome.wasted / outcome.work,
            "blocked_share": outcome.blocked / (case.executors * outcome.makespan),
        }

    def bound(self, workload: Workload) -> Metrics:
        """See `bound`; percentiles of latency have none."""
        case = self._case(workload)
        return {
            "gap_closed": 1.0,
            "rms_latency": case.bounds.rms_latency,
            "mean_latency": case.bounds.mean_latency,
            "throughput": case.bounds.throughput,
        }

    def _case(self, workload: Workload) -> Case:
        """Built once a process: candidates after candidates are scored on the same streams."""
        if workload.hash not in self._cases:
            self._cases[workload.hash] = _case_of(
                *self._instance(workload.parameters), workload.parameters["executors"]
            )
        return self._cases[workload.hash]

    def _instance(self, parameters: Mapping[str, Any]) -> tuple[list[Transaction], Floats]:
        if self._recorded is not None:
            return self._recorded.instance(parameters, RULES.commit)
        return instance(Scenario(**parameters), RULES.commit)


def root_mean_square(latency: Floats) -> float:
    """A mean in which long waits weigh more, so that starving a few to serve many does not pay."""
    return float(np.sqrt(np.mean(latency**2)))


def _case_of(transactions: Sequence[Transaction], arrivals: Floats, executors: int) -> Case:
    in_order = simulate(transactions, arrivals, executors, RULES, first_come, WINDOW)
    limits = bounds(transactions, arrivals, executors, RULES)
    return Case(transactions, arrivals, executors, root_mean_square(in_order.latency), limits)


def asking(policy: Policy, transactions: Sequence[Transaction], arrivals: Floats) -> Choose:
    """Admission by the policy, across the wall."""
    starts = [0] * len(transactions)

    def shown(transaction: int) -> tuple[int, str, list[int], list[bool], float]:
        kind, keys, writes = vars(transactions[transaction]).values()
        return transaction, kind, list(keys), list(writes), float(arrivals[transaction])

    def choose(now: float, pending: Sequence[int], running: Sequence[Attempt]) -> int | None:
        waiting_for_start = [Pending(*shown(each), starts[each]) for each in pending]
        under_way = [
            Running(*shown(each.id), each.number - 1, each.started, each.position, each.waiting_since is not None)
            for each in running
        ]
        answer: int = policy.call("next_transaction", now, waiting_for_start, under_way)
        if answer == WAIT:
            return None
        if answer in pending:
            starts[answer] += 1
        return answer

    return choose
