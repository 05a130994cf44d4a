"""What an evaluator is: the one interface between ADRS and a domain's simulator.

An evaluator is trusted and runs in the referee process. A policy is not: it lives in a jailed process of its own, and
all that the evaluator can do with it is `policy.call(...)`. Whatever comes back is a plain answer that the evaluator
must check (raise `WrongAnswer`) before it derives anything from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from adrs.evaluation.interface import Interface

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Workload:
    """One instance to be scored on.

    `regime` names the kind of workload (a regime is *familiar* to a policy if train has it, else *shifted*).
    `cluster` groups dependent workloads: clusters are what `verify` resamples.
    `parameters` is JSON data from which `Evaluator.run` rebuilds the workload, seeds included.
    """

    name: str
    regime: str
    cluster: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Identity of the instance: 16 hex digits over regime and parameters (names are labels)."""
        text = json.dumps([self.regime, self.parameters], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class WrongAnswer(Exception):
    """The policy's answer breaks the rules of the problem: the evaluation ends as `wrong` with this message."""


class Policy(Protocol):
    """The evaluator's only handle on a candidate."""

    @property
    def seconds(self) -> float:
        """Wall seconds spent in calls so far, measured outside of the wall."""

    def call(self, function: str, *arguments: Any) -> Any:
        """Call one function of the interface across the wall.

        Arguments and the answer are plain data: None, bool, int, float, str, bytes, lists, dicts, `msgspec.Struct`s
        of the interface, and numpy arrays of bool, integer or float dtype. The answer is a copy, checked against the
        interface's return annotation. Any failure of the policy raises an exception that evaluators let pass.
        """


class Evaluator(Protocol):
    """A simulator with its workloads. Constructed once a process as `Evaluator(**options)`; see docs/evaluators.md."""

    interface: Interface

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """The workloads of a split, cheapest first. Cheap to list.

        Train and validation are listed with salt 0. `verify` draws test workloads with a fresh salt (a non-negative
        31-bit integer): the same salt must give the same list, another salt other instances.
        """

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        """Simulate the workload with the policy and return every metric, finite floats. Deterministic.

        Raises `WrongAnswer` when the policy's answer is refused.
        """

    def bound(self, workload: Workload) -> Metrics:
        """For each metric that has one, the value that no policy can beat on this workload (may be empty)."""


@dataclass(frozen=True)
class Reference:
    """A fixed policy on a fixed workload, run beside a candidate in the same jail: how fast the machine is now.

    `seconds` is the CPU time that its calls take on the machine for which the evaluator's prices hold.
    """

    source: str
    workload: Workload
    seconds: float


@runtime_checkable
class TimedEvaluator(Evaluator, Protocol):
    """An evaluator whose metrics may depend on how long a policy takes; `timed: true` problems need one."""

    reference: Reference

    def timed(self, workload: Workload, metrics: Metrics, seconds: float) -> Metrics:
        """The metrics of a run, given what `run` returned and the CPU seconds that the policy's calls took.

        `seconds` are those of the reference's machine: the median, over several plays, of the policy's time divided by
        the reference's beside it, times `reference.seconds`; see docs/evaluators.md. No time may lift a metric above
        its bound.
        """
