"""What an honest policy may do works in the jail: no import and no numpy function fails for want of a file."""

from __future__ import annotations

from pathlib import Path

from machine import Machine

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.interface import IMPORTABLE
from adrs.evaluation.local import evaluate
from adrs.evaluation.outcome import Limits
from adrs.testing.direct import DirectPolicy

SPEC = EvaluatorSpec(f"{Path(__file__).with_name('machine.py')}:Machine")
BUSY = """
from __future__ import annotations
import dataclasses, decimal, enum, fractions, functools, heapq, itertools, math, random, re, statistics, string, typing
import numpy as np
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from numpy.linalg import svd
from numpy.typing import NDArray
from interface import Job

class Kind(enum.Enum):
    SHORT = 1
    LONG = 2

@dataclass(order=True)
class Ranked:
    key: float
    index: int = field(default=0)

@functools.lru_cache(maxsize=None)
def weight(size: float) -> decimal.Decimal:
    return decimal.Decimal(str(size)) * fractions.Fraction(1, 2).denominator

def numbers(rng):
    matrix = rng.normal(size=(8, 8))
    yield np.linalg.norm(svd(matrix)[1]) + np.linalg.solve(matrix, np.ones(8)).sum() + (matrix @ matrix.T).trace()
    yield np.abs(np.fft.fft(matrix)).sum() + np.einsum("ij,ij->", matrix, matrix) + np.median(matrix) + np.ptp(matrix)
    yield np.polyfit(np.arange(5.0), np.arange(5.0) ** 2, 2).sum() + np.ma.masked_less(matrix, 0).mean()
    yield np.unique(rng.integers(0, 4, 30), return_counts=True)[1].max() + np.searchsorted(np.arange(9), 4)
    yield np.lib.stride_tricks.sliding_window_view(np.arange(9), 3).sum() + np.char.add(["a"], ["b"]).size
    yield np.percentile(rng.permutation(20), 90) + np.interp(2.5, [1, 2, 3], [3, 2, 0]) + np.convolve([1, 2], [3, 4])[0]
    yield len(f"{matrix[0]} {np.array2string(matrix, precision=2)} {matrix.tolist()!r}")
    yield np.random.rand() + random.gauss(0, 1) + random.Random(1).choice([1, 2]) + statistics.stdev([1, 2, 4])

def choose(queue: list[Job], history: NDArray[np.float64]) -> int:
    assert all(math.isfinite(value) for value in numbers(np.random.default_rng(7)))
    assert re.findall(r"[0-9]+", "a1b22") == ["1", "22"] and string.ascii_letters and Counter("aab")["a"] == 2
    print("chatty", Kind.SHORT, deque([1]), defaultdict(int), isinstance(queue, Sequence), sum(itertools.repeat(1, 3)))
    heap = [Ranked(float(weight(job.size)), index) for index, job in enumerate(queue)]
    heapq.heapify(heap)
    return heap[0].index
"""


def test_libraries_work_behind_the_wall_as_outside_of_it() -> None:
    outcomes = evaluate(SPEC, BUSY, limits=Limits())
    assert [(outcome.status, outcome.error) for _, outcome in outcomes] == [("ok", "")] * len(outcomes)
    plain = "def choose(queue, history):\n    return min(range(len(queue)), key=lambda i: (queue[i].size, i))\n"
    machine = Machine()
    workload = machine.workloads("train", 0)[0]
    assert outcomes[0][1].metrics == machine.run(workload, DirectPolicy.from_source(plain))


def test_all_that_the_interface_lists_can_be_imported() -> None:
    source = "".join(f"import {name}\n" for name in IMPORTABLE) + "def choose(queue, history):\n    return 0\n"
    [(_, outcome), *_] = evaluate(SPEC, source)
    assert outcome.status == "ok", outcome


def test_memory_that_was_never_written_reads_the_same_every_time() -> None:
    source = """
import numpy as np
def choose(queue, history):
    numbers, like = np.empty(3, dtype=np.int64), np.empty_like(history, dtype=float, shape=(2, 2))
    assert (numbers == np.iinfo(np.int64).min).all() and np.isnan(like).all() and np.empty(2, bool).all()
    assert np.empty((2, 0)).shape == (2, 0) and np.empty(1, dtype=object)[0] is None
    return int(numbers[0])
"""
    [(_, outcome), *_] = evaluate(SPEC, source)
    assert (outcome.status, outcome.error) == ("wrong", f"index {-(2**63)} is not in the queue of 1")
