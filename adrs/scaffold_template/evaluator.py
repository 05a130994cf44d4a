"""Jobs in families on identical machines: the simulator that scores a policy. It is trusted; a policy is not."""

import hashlib
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer

FAMILIES = 4
SETUP = 0.6  # seconds; the mean work of a job is 1
LOAD = 0.75  # share of the machines' time that is work
REGIMES: dict[Split, Sequence[str]] = {
    "train": ("steady", "bursty"),
    "validation": ("steady", "bursty"),
    "test": ("steady", "bursty", "heavy"),  # `heavy` is shifted: no policy has met it
}
EACH: dict[Split, int] = {"train": 4, "validation": 3, "test": 8}  # workloads of each regime


@dataclass(frozen=True)
class Job:
    arrival: float
    family: int
    work: float
    weight: float


class Dispatch:
    interface = Interface.from_file(Path(__file__).with_name("interface.py"))

    def __init__(self, machines: int = 3, jobs: int = 150) -> None:
        self.machines = machines
        self.jobs = jobs

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        """Each is drawn from a seed of its own, so each is a cluster of its own."""
        listed = []
        for regime in REGIMES[split]:
            for index in range(EACH[split]):
                digest = hashlib.sha256(f"{split} {salt} {regime} {index}".encode()).digest()
                parameters = {"seed": int.from_bytes(digest[:6], "big"), "machines": self.machines, "jobs": self.jobs}
                name = f"{regime}-{index}"
                listed.append(Workload(name, regime, cluster=name, parameters=parameters))
        return listed

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        jobs = self._draw(workload)
        flow, setups = self._simulate(jobs, policy)
        return {
            "efficiency": self._least_flow(jobs) / flow,
            "weighted_flow": flow / sum(job.weight for job in jobs),
            "setups": setups / len(jobs),
        }

    def bound(self, workload: Workload) -> Metrics:
        return {"efficiency": 1.0}

    def _draw(self, workload: Workload) -> list[Job]:
        rng = random.Random(workload.parameters["seed"])
        jobs, now = [], 0.0
        burst = 10 if workload.regime == "bursty" else 1  # jobs that arrive at once
        for index in range(self.jobs):
            if index % burst == 0:
                now += rng.expovariate(LOAD * self.machines / burst)
            work = 0.6 * rng.paretovariate(2.5) if workload.regime == "heavy" else rng.expovariate(1.0)
            jobs.append(Job(now, rng.randrange(FAMILIES), max(0.05, work), rng.choice((1.0, 1.0, 3.0, 10.0))))
        return jobs

    def _simulate(self, jobs: list[Job], policy: Policy) -> tuple[float, int]:
        """Total weighted flow time, and the number of set-ups."""
        free = [(0.0, machine) for machine in range(self.machines)]  # a heap: when each machine is free
        loaded = [-1] * self.machines
        waiting: list[Job] = []
        now, arrived, flow, setups = 0.0, 0, 0.0, 0
        for _ in jobs:
            idle_since, machine = heapq.heappop(free)
            now = max(now, idle_since)
            if not waiting and arrived < len(jobs):
                now = max(now, jobs[arrived].arrival)
            while arrived < len(jobs) and jobs[arrived].arrival <= now:
                waiting.append(jobs[arrived])
                arrived += 1
            job = waiting.pop(self._choice(policy, now, loaded[machine], waiting))
            switch = job.family != loaded[machine]
            end = now + (SETUP if switch else 0.0) + job.work
            flow += job.weight * (end - job.arrival)
            setups += switch
            loaded[machine] = job.family
            heapq.heappush(free, (end, machine))
        return flow, setups

    def _choice(self, policy: Policy, now: float, loaded: int, waiting: list[Job]) -> int:
        """The policy's answer, checked: whatever it returns, only an index of a waiting job gets any further."""
        answer = policy.call(
            "choose",
            now,
            loaded,
            SETUP,
            np.array([job.family for job in waiting]),
            np.array([job.work for job in waiting]),
            np.array([job.weight for job in waiting]),
            np.array([job.arrival for job in waiting]),
        )
        if type(answer) is not int or not 0 <= answer < len(waiting):
            raise WrongAnswer(f"choose returned {answer!r}; expected an index of the {len(waiting)} waiting jobs")
        return answer

    def _least_flow(self, jobs: list[Job]) -> float:
        """Lower bound on the total weighted flow time.

        In any schedule a job ends half its work after its mean busy time. The least sum of weighted mean busy times on
        one machine that is as fast as all together is that of preemptive WSPT: M. X. Goemans, M. Queyranne, A. S.
        Schulz, M. Skutella and Y. Wang, "Single machine scheduling with release dates" (2002), section 3.
        """
        left = [job.work for job in jobs]
        ready: list[tuple[float, int]] = []  # a heap by falling ratio of weight to work
        busy, now, arrived = 0.0, 0.0, 0
        while ready or arrived < len(jobs):
            if not ready:
                now = max(now, jobs[arrived].arrival)
            while arrived < len(jobs) and jobs[arrived].arrival <= now:
                heapq.heappush(ready, (-jobs[arrived].weight / jobs[arrived].work, arrived))
                arrived += 1
            index = ready[0][1]
            end = now + left[index] / self.machines
            if arrived < len(jobs):
                end = min(end, jobs[arrived].arrival)
            done = min(left[index], (end - now) * self.machines)
            busy += jobs[index].weight / jobs[index].work * done * (now + end) / 2
            left[index] -= done
            now = end
            if left[index] <= 1e-12:
                heapq.heappop(ready)
        relaxed = busy + sum(job.weight * (job.work / 2 - job.arrival) for job in jobs)
        return max(relaxed, sum(job.weight * job.work for job in jobs))
