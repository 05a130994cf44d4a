"""The evaluator: batches, their makespans and the score of orders."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from evaluators.transactions.generators import generate
from evaluators.transactions.scheduling import interface
from evaluators.transactions.scheduling.bound import lower_bound
from evaluators.transactions.scheduling.makespan import Footprint, footprints, makespan
from evaluators.transactions.scheduling.workloads import list_workloads
from evaluators.transactions.trace import Trace
from evaluators.transactions.transaction import Transaction

RANDOM_ORDERS = 64  # whose mean makespan is the zero of the scale
SHOWN = 5  # ids named in a message


@dataclass(frozen=True)
class Batch:
    """A workload ready to be scored, with the two ends of its scale."""

    transactions: list[Transaction]
    footprints: list[Footprint]
    unordered: float  # mean makespan of random orders
    bound: int  # makespan that no order beats

    @classmethod
    def of(cls, transactions: list[Transaction]) -> Batch:
        """Compute both ends."""
        used = footprints(transactions)
        rng = random.Random(0)
        ids = range(len(used))
        drawn = [makespan(used, rng.sample(ids, len(used))) for _ in range(RANDOM_ORDERS)]
        return cls(transactions, used, sum(drawn) / len(drawn), lower_bound(used))

    def gap_closed(self, makespan: int) -> float:
        """Share of the gap between random orders and the bound; at most 1, negative if worse than random.

        A gap of less than one unit of time is not worth closing and is not divided by.
        """
        return (self.unordered - makespan) / max(self.unordered - self.bound, 1.0)


class TransactionScheduling:
    """Policies that decide in which order a batch of conflicting transactions is executed.

    Args:
        trace: Score on a recorded trace instead of generated batches; see `evaluators.transactions.trace`.

    Raises:
        InputError: a trace that cannot be used.
    """

    interface = Interface.from_file(Path(interface.__file__))

    def __init__(self, trace: dict[str, Any] | None = None) -> None:
        self._trace = None if trace is None else Trace.from_options(trace)
        self._batches: dict[str, Batch] = {}

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """See `workloads`; of a recorded trace, its batches reserved for the split."""
        return list_workloads(split, salt) if self._trace is None else self._trace.workloads(split)

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Ask for an order and derive its makespan.

        Raises:
            WrongAnswer: the answer is not a permutation of the ids.
        """
        batch = self._batch(workload)
        order = policy.call("schedule", rows_of(batch.transactions))
        check_order(order, len(batch.transactions))
        took = makespan(batch.footprints, order)
        return {
            "gap_closed": batch.gap_closed(took),
            "makespan": float(took),
            "throughput": len(order) / took,
            "bound_makespan": float(batch.bound),
            "random_makespan": batch.unordered,
        }

    def bound(self, workload: Workload) -> Metrics:
        """See the module `bound`."""
        batch = self._batch(workload)
        return {
            "gap_closed": 1.0,
            "makespan": float(batch.bound),
            "throughput": len(batch.transactions) / batch.bound,
        }

    def _batch(self, workload: Workload) -> Batch:
        """Built once a process: candidates after candidates are scored on the same batches."""
        if workload.hash not in self._batches:
            self._batches[workload.hash] = Batch.of(self._transactions(workload.parameters))
        return self._batches[workload.hash]

    def _transactions(self, parameters: Mapping[str, Any]) -> list[Transaction]:
        if self._trace is not None:
            return self._trace.batch(parameters)
        return generate(parameters["benchmark"], parameters["count"], parameters["seed"], **parameters["settings"])


def check_order(order: Sequence[int], count: int) -> None:
    """Raises WrongAnswer unless the order holds each of the ids 0 .. count - 1 exactly once."""
    if len(order) != count:
        raise WrongAnswer(f"expected {count} ids, each transaction's once, got {len(order)}")
    strangers = [one for one in order if not 0 <= one < count]
    if strangers:
        raise WrongAnswer(f"expected ids from 0 to {count - 1}, got {_some(strangers)}")
    missing = sorted(set(range(count)) - set(order))
    if missing:
        raise WrongAnswer(f"every transaction must be in the order exactly once; missing: {_some(missing)}")


def _some(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:SHOWN])) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")


def rows_of(transactions: Sequence[Transaction]) -> list[interface.Transaction]:
    """What the policy is handed."""
    return [
        interface.Transaction(index, one.kind, list(one.keys), list(one.writes))
        for index, one in enumerate(transactions)
    ]
