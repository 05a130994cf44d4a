"""A problem whose every figure is known: a policy guesses a number near to a hidden one, from a hint."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adrs.errors import HouseError
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer
from adrs.problem import Objective, Problem, Verify

EXACT = "def guess(hint):\n    return hint\n"


def off_by(offset: str) -> str:
    """A policy whose error on every workload is the value of an expression of `hint`."""
    return f"def guess(hint):\n    return hint + abs({offset})\n"


FAILS_ABOVE_9 = "def guess(hint):\n    return hint if hint < 9 else 1 / 0\n"


class Guessing:
    """Hints are uniform in 0..10; `error` is how far the guess is away, at best 0.

    Test workloads come in pairs of one cluster, and half of the clusters are of a regime that train has not.
    """

    interface = Interface.from_text("def guess(hint: float) -> float: ...")

    def __init__(self, clusters: int = 24, best: float = 0.0) -> None:
        self.clusters = clusters
        self.best = best

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        if split != "test":
            return [self._workload(f"{split}-{index}", "near", f"{split} {salt} {index}") for index in range(3)]
        return [
            self._workload(f"{cluster}-{twin}", "near" if cluster % 2 else "far", f"{salt} {cluster} {twin}", cluster)
            for cluster in range(self.clusters)
            for twin in "ab"
        ]

    def _workload(self, name: str, regime: str, seed: str, cluster: int = 0) -> Workload:
        return Workload(name, regime, f"{regime}-{cluster}", {"hint": random.Random(seed).uniform(0, 10)})

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        guess = policy.call("guess", workload.parameters["hint"])
        if not isinstance(guess, float):
            raise WrongAnswer(f"guess returned {guess!r}")
        return {"error": abs(guess - workload.parameters["hint"]), "guess": guess}

    def bound(self, workload: Workload) -> Mapping[str, float]:
        return {"error": self.best}


class Noisy(Guessing):
    """Not deterministic: the error grows from run to run."""

    drift = 0.0

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        self.drift += 1e-6
        metrics = super().run(workload, policy)
        return {**metrics, "error": metrics["error"] + self.drift}


class Broken(Guessing):
    """Its second workload fails, and that is its own fault."""

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        if workload.name.endswith("-1"):
            raise HouseError("evaluator_error", "the simulator failed: KeyError: 'x'")
        return super().run(workload, policy)


PROBLEM = Problem(
    name="guessing",
    title="Guessing",
    description="Guess.",
    evaluator=EvaluatorSpec("guessing:Guessing"),
    objective=Objective("error", "minimize"),
    seed=off_by("2 + hint / 10"),
    baselines={"Off by one": off_by("1 + hint / 100"), "Off by half": off_by("0.5")},
    verify=Verify("Off by one", minimum_effect=0.1),
)


def with_verify(comparator: str = "Off by one", minimum_effect: float = 0.1, clusters: int = 24) -> Problem:
    return replace(PROBLEM, verify=Verify(comparator, minimum_effect, clusters))
