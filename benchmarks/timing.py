"""What noise is left in the times of a `timed` problem, by the length of a policy's call.

One policy plays in turns with itself as the reference; five plays make a measurement, as in `adrs.sandbox.timing`. All
cores are kept busy by one such series each. Run `python benchmarks/timing.py`; it takes about a minute.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
from collections.abc import Sequence

from adrs.evaluation.interface import Interface
from adrs.evaluation.outcome import Limits
from adrs.sandbox import contract
from adrs.sandbox.launcher import ForkServer
from adrs.sandbox.policy import JailedPolicy
from adrs.sandbox.timing import PLAYS, coarse

INTERFACE = Interface.from_text("def count(steps: int) -> int: ...")
POLICY = """
def count(steps):
    places, total = list(range(1000)), 0
    for step in range(steps):
        total += places[step % 1000]
    return total
"""
STEPS = (10_000, 100_000, 1_000_000)
PAIRS = 40 * PLAYS


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    print("     call   one play   best of 5   median of 5 ratios   same step   one step apart")
    for steps in STEPS:
        with multiprocessing.get_context("spawn").Pool(len(cores)) as pool:
            series = pool.starmap(_series, [(core, steps) for core in cores])
        _report([pair for one in series for pair in one])


def _series(core: int, steps: int) -> list[tuple[float, float]]:
    """CPU seconds of neighbouring plays."""
    os.sched_setaffinity(0, {core})
    server = ForkServer(INTERFACE, "auto")
    methods = contract.load(INTERFACE)
    try:
        return [(_play(server, methods, steps), _play(server, methods, steps)) for _ in range(PAIRS)]
    finally:
        server.close()


def _play(server: ForkServer, methods: Sequence[contract.Method], steps: int) -> float:
    limits = Limits()
    process, _ = server.spawn(limits.cpu_seconds, limits.memory_mb)
    try:
        policy = JailedPolicy(process, methods, limits)
        policy.load(POLICY)
        policy.call("count", steps)
        return policy.cpu_seconds()
    finally:
        process.end()


def _report(pairs: Sequence[tuple[float, float]]) -> None:
    """Standard deviations in per cent, and how far measurements lie from the median one on the grid of times."""
    typical = statistics.median(seconds for pair in pairs for seconds in pair)
    groups = [pairs[start : start + PLAYS] for start in range(0, len(pairs), PLAYS)]
    best = [min(ours for ours, _ in group) / min(theirs for _, theirs in group) for group in groups]
    medians = [statistics.median(ours / theirs for ours, theirs in group) for group in groups]
    grid = [round(math.log(coarse(ratio * 0.1) / coarse(0.1), 1.05)) for ratio in medians]
    same = sum(step == 0 for step in grid) / len(grid)
    near = sum(abs(step) <= 1 for step in grid) / len(grid)
    print(
        f"{typical * 1e3:6.1f} ms {_deviation([ours for ours, _ in pairs]):8.1f} % {_deviation(best):9.1f} %"
        f" {_deviation(medians):18.1f} % {same:10.0%} {near:15.0%}"
    )


def _deviation(values: Sequence[float]) -> float:
    return 100 * statistics.pstdev([math.log(value) for value in values])


if __name__ == "__main__":
    main()
