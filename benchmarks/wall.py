"""What the wall costs: one evaluation of a trivial policy, and one call across it, with all job slots busy.

Run `python benchmarks/wall.py`; it takes about ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.interface import Interface
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload

INTERFACE = '''
import numpy as np

def pick(queue: list[int], free: float) -> int:
    """A small message."""

def weigh(rows: np.ndarray) -> np.ndarray:
    """Bulk."""
'''
POLICY = """
import numpy as np

def pick(queue, free):
    return queue[0]

def weigh(rows):
    return rows[:, 0]
"""
CALLS = 2000
EVALUATIONS = 60


class Echo:
    """Measures the round trips of each kind of call, in microseconds."""

    interface = Interface.from_text(INTERFACE)

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return [Workload(name, "round trips", name, {"calls": calls}) for name, calls in (("one", 1), ("many", CALLS))]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        calls = workload.parameters["calls"]
        rows = np.arange(64.0 * 6).reshape(64, 6)
        return {
            "small_us": _median_us(lambda: policy.call("pick", [3, 1, 2], 0.5), calls),
            "bulk_us": _median_us(lambda: policy.call("weigh", rows), calls),
        }

    def bound(self, workload: Workload) -> Metrics:
        return {}


def _median_us(call: object, count: int) -> float:
    assert callable(call)
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1e6


async def main() -> None:
    jobs = len(os.sched_getaffinity(0))
    executor = LocalExecutor(EvaluatorSpec(f"{Path(__file__).resolve()}:Echo"), jobs)
    try:
        level = (await executor.describe()).sandbox
        one, many = await executor.workloads("train")
        await _together(executor, one, jobs)  # starts the processes
        trips = [evaluation.metrics for evaluation in await _together(executor, many, jobs)]
        alone = await _evaluation_ms(executor, one)
        started = time.perf_counter()
        await _together(executor, one, EVALUATIONS * jobs)
        busy = (time.perf_counter() - started) / EVALUATIONS * 1e3
    finally:
        await executor.close()
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    print(f"{date.today()}  {_machine()}, {jobs} cores, {versions}, {level}; medians")
    print(f"one evaluation of a trivial numpy policy  {alone:6.1f} ms alone, {busy:.1f} ms a slot with all slots busy")
    print(
        f"round trip, small message                 {max(trip['small_us'] for trip in trips):6.1f} us, all slots busy"
    )
    print(f"round trip, 64 x 6 float64                {max(trip['bulk_us'] for trip in trips):6.1f} us, all slots busy")


async def _together(executor: LocalExecutor, workload: Listed, count: int) -> list[Evaluation]:
    return await asyncio.gather(*(executor.submit(POLICY, workload, Limits()) for _ in range(count)))


async def _evaluation_ms(executor: LocalExecutor, workload: Listed) -> float:
    seconds = []
    for _ in range(EVALUATIONS):
        started = time.perf_counter()
        await executor.submit(POLICY, workload, Limits())
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1e3


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return models[0].split(":")[1].strip() if models else platform.machine()


if __name__ == "__main__":
    asyncio.run(main())
