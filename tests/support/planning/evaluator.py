"""One machine again (Smith's rule is optimal), but the jobs wait for their plan: a slow planner delays them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Reference, Split, Workload, WrongAnswer

HERE = Path(__file__).parent
FIRST_SEED = {"train": 0, "validation": 100, "test": 1000}
PENALTY = 10.0  # per second of planning


class Planning:
    interface = Interface.from_file(HERE / "interface.py")

    def __init__(
        self, jobs: int = 300, batches: int = 2, reference: str | None = None, reference_seconds: float = 0.02
    ) -> None:
        self.batches = batches
        self.jobs = jobs
        yardstick = Workload("yardstick", "plain", "seed-0", {"seed": 0, "jobs": 300})
        source = reference or (HERE / "quadratic.py").read_text()
        self.reference = Reference(source, yardstick, reference_seconds)

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        first, count = FIRST_SEED[split] + salt, 24 if split == "test" else 2
        return [
            Workload(f"plan-{seed}", "plain", f"seed-{seed}", {"seed": seed, "jobs": self.jobs})
            for seed in range(first, first + count)
        ]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        batches = [_efficiency(*batch, policy) for batch in _batches(workload, self.batches)]
        return {"efficiency": sum(batches) / len(batches)}

    def timed(self, workload: Workload, metrics: Metrics, seconds: float) -> Metrics:
        return {**metrics, "planning_seconds": seconds, "net": metrics["efficiency"] / (1.0 + PENALTY * seconds)}

    def bound(self, workload: Workload) -> Metrics:
        return {"efficiency": 1.0, "net": 1.0}


def _batches(workload: Workload, count: int) -> list[np.ndarray]:
    """Lengths and weights of each batch."""
    rng = np.random.default_rng(workload.parameters["seed"])
    return [rng.uniform(1, 10, (2, workload.parameters["jobs"])) for _ in range(count)]


def _efficiency(lengths: np.ndarray, weights: np.ndarray, policy: Policy) -> float:
    order = policy.call("order", lengths, weights)
    if sorted(order.tolist()) != list(range(len(lengths))):
        raise WrongAnswer(f"expected each of the {len(lengths)} jobs once")
    return _delay(lengths, weights, np.argsort(lengths / weights)) / _delay(lengths, weights, order)


def _delay(lengths: np.ndarray, weights: np.ndarray, order: np.ndarray) -> float:
    return float(np.cumsum(lengths[order]) @ weights[order])
