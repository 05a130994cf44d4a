"""A small evaluator for tests of the wall: online scheduling on one machine, with a hidden trace to steal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer

SECRET = "evaluator-canary-193847"  # what no policy may ever see
_HERE = Path(__file__).parent


class Job(msgspec.Struct):
    size: float
    waited: float


class Machine:
    """Mean waiting time of jobs that arrive over time; a policy sees the queue, never the arrivals to come."""

    interface = Interface.from_file(_HERE / "machine_interface.py")

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return [
            Workload(f"{split}-{seed}", "small", f"seed-{seed}", {"seed": seed, "salt": salt, "jobs": 12})
            for seed in range(3)
        ]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        arrivals = _trace(workload.parameters)
        clock, waited, queue, history = 0.0, 0.0, [], []
        while arrivals or queue:
            if not queue:
                clock = max(clock, arrivals[0][0])
            while arrivals and arrivals[0][0] <= clock:
                queue.append(arrivals.pop(0))
            jobs = [Job(size, clock - arrival) for arrival, size in queue]
            index = policy.call("choose", jobs, np.array(history))
            if not 0 <= index < len(queue):
                raise WrongAnswer(f"index {index} is not in the queue of {len(queue)}")
            arrival, size = queue.pop(index)
            waited += clock - arrival
            clock += size
            history.append(size)
        return {"waiting": waited, "score": -waited}

    def bound(self, workload: Workload) -> Metrics:
        return {"waiting": 0.0, "score": 0.0}


def _trace(parameters: Any) -> list[tuple[float, float]]:
    rng = random.Random(f"{parameters['seed']}:{parameters['salt']}")
    trace = [(rng.uniform(0, 4), rng.choice([0.25, 1.0, 2.5])) for _ in range(parameters["jobs"])]
    return sorted(trace)
