"""A user's own trace of transactions in place of the generated ones; when they arrive is still generated.

Options (`--set options.trace=...` or `options: {trace: {...}}` in the problem):

    file, batch   as of `evaluators.transactions.trace`; a batch is a stream here
    executors     how many transactions run at once, 1 to 10,000 (default 16)
    load          share of the executors' time that the work would take if nothing ever waited, 0.01 to 10
                  (default 0.6)
    arrivals      "poisson" (default) or "bursty"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.transactions.admission.arrivals import PROCESSES, Traffic
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.trace import Trace
from evaluators.transactions.transaction import Transaction

MOST_EXECUTORS = 10_000
LOADS = 0.01, 10.0
DEFAULTS: dict[str, Any] = {"executors": 16, "load": 0.6, "arrivals": "poisson"}


@dataclass(frozen=True)
class Recorded:
    """Streams cut from a trace, and the traffic in which they arrive."""

    trace: Trace
    traffic: Traffic

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Recorded:
        """Check the options and read the file. Raises InputError for either."""
        expected = ", ".join(("file", "batch", *DEFAULTS))
        if not isinstance(given, Mapping):
            raise InputError(f"options.trace: expected the keys {expected}, got {given!r}")
        for name in given:
            if name not in ("file", "batch", *DEFAULTS):
                raise InputError(f"options.trace: unknown key {name!r}; expected {expected}")
        trace = Trace.from_options({name: value for name, value in given.items() if name not in DEFAULTS})
        traffic = Traffic(**{name: given.get(name, default) for name, default in DEFAULTS.items()})
        _check(traffic)
        return cls(trace, traffic)

    def workloads(self, split: Split) -> Sequence[Workload]:
        """The streams of a split in order of time."""
        return [
            replace(each, parameters=dict(each.parameters) | asdict(self.traffic))
            for each in self.trace.workloads(split)
        ]

    def instance(self, parameters: Mapping[str, Any], commit: float) -> tuple[list[Transaction], Floats]:
        """The transactions of a workload and when they arrive."""
        transactions = self.trace.batch(parameters)
        return transactions, self.traffic.arrivals_of(transactions, commit, parameters["start"])


def _check(traffic: Traffic) -> None:
    if type(traffic.executors) is not int or not 1 <= traffic.executors <= MOST_EXECUTORS:
        raise InputError(
            f"options.trace.executors: expected an integer from 1 to {MOST_EXECUTORS}, got {traffic.executors!r}"
        )
    if type(traffic.load) not in (int, float) or not LOADS[0] <= traffic.load <= LOADS[1]:
        raise InputError(f"options.trace.load: expected a number from {LOADS[0]} to {LOADS[1]:g}, got {traffic.load!r}")
    if traffic.arrivals not in tuple(PROCESSES):  # which need not be a text
        raise InputError(f"options.trace.arrivals: expected {' or '.join(PROCESSES)}, got {traffic.arrivals!r}")
