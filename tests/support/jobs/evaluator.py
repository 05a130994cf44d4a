"""One machine, weighted jobs, total weighted completion time (Smith's rule is optimal): small and real, with a log.

Each run appends one line to the file in the option `log`, before anything else: tests count what was begun.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer


class Jobs:
    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, log: str | None = None, seconds: float = 0.0) -> None:
        self.log = log
        self.seconds = seconds

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        first = {"train": 0, "validation": 100, "test": 1000 + salt}[split]
        count = 24 if split == "test" else 3
        return [Workload(f"jobs-{first + i}", "plain", f"seed-{first + i}", {"seed": first + i}) for i in range(count)]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        self._note(workload)
        time.sleep(self.seconds)
        waiting, now, cost = _jobs(workload), 0.0, 0.0
        while waiting:
            ranks = [policy.call("priority", length, weight, now) for length, weight in waiting]
            if any(rank != rank for rank in ranks):
                raise WrongAnswer("a priority is NaN; expected a number")
            length, weight = waiting.pop(max(range(len(ranks)), key=ranks.__getitem__))
            now += length
            cost += weight * now
        return {"efficiency": _optimum(workload) / cost}

    def bound(self, workload: Workload) -> Metrics:
        return {"efficiency": 1.0}

    def _note(self, workload: Workload) -> None:
        if self.log is not None:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, f"{workload.name}\n".encode())
            os.close(descriptor)


def _jobs(workload: Workload) -> list[tuple[float, float]]:
    rng = random.Random(workload.parameters["seed"])
    return [(rng.uniform(1, 10), rng.uniform(1, 10)) for _ in range(12)]


def _optimum(workload: Workload) -> float:
    now = cost = 0.0
    for length, weight in sorted(_jobs(workload), key=lambda job: job[0] / job[1]):
        now += length
        cost += weight * now
    return cost
