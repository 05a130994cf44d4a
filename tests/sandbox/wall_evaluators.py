"""Evaluators for tests of the wall, one a way to behave; each with the interface below and a single workload."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import numpy as np

from adrs.evaluation.interface import Interface
from adrs.evaluation.protocol import Metrics, Policy, Split, Workload, WrongAnswer

INTERFACE = """
from typing import Any
import msgspec
import numpy as np
from numpy.typing import NDArray

class Row(msgspec.Struct):
    name: str
    size: float
    tags: list[str] = []

def echo(value: Any) -> Any: ...
def total(values: NDArray[np.float64], weights: NDArray[np.int64] | None = None) -> float: ...
def largest(rows: list[Row]) -> Row | None: ...
def scale(values: np.ndarray, factor: int) -> NDArray[np.float64]: ...
"""
POLICY = """
import numpy as np
from interface import Row

def echo(value):
    return value

def total(values, weights=None):
    return values.sum() if weights is None else values @ weights

def largest(rows):
    assert all(type(row) is Row for row in rows)
    return max(rows, key=lambda row: row.size, default=None)

def scale(values, factor):
    return values * factor
"""


class Base:
    interface = Interface.from_text(INTERFACE)

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return [Workload("only", "regime", "cluster", {"salt": salt})]

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        return {"answer": float(policy.call("total", np.ones(3)))}

    def bound(self, workload: Workload) -> Metrics:
        return {}


class Calls(Base):
    """Sends what was asked for by the test in the options, and reports whether it came back."""

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        rows = [{"name": "a", "size": 1.0}, {"name": "b", "size": 2.0, "tags": ["x"]}]
        values = np.arange(6.0).reshape(2, 3)
        sent: list[Any] = [None, True, 7, -1.5, "text", b"bytes", [1, [2]], {"k": [1.0]}, [values[:, ::2], values > 2]]
        large = np.arange(2_000_000.0)
        largest = policy.call("largest", rows)
        return {
            "echoed": float(all(_equal(policy.call("echo", value), value) for value in sent)),
            "total": policy.call("total", np.ones(3)),
            "weighted": policy.call("total", np.ones(3), np.arange(3)),
            "largest": largest.size + len(largest.tags),
            "none": float(policy.call("largest", []) is None),
            "large": float(np.array_equal(policy.call("scale", large, 2), large * 2)),
            "converted": float(policy.call("scale", np.arange(3, dtype=np.int32), 2).dtype == np.float64),
        }


def _equal(answer: Any, sent: Any) -> bool:
    if isinstance(sent, list):
        return len(answer) == len(sent) and all(map(_equal, answer, sent))
    if isinstance(sent, np.ndarray):
        return bool(answer.dtype == sent.dtype and np.array_equal(answer, sent))
    return bool(answer == sent and type(answer) is type(sent))


class Insists(Base):
    """Calls so often that a moment wasted in each is a long time."""

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        return {"answer": sum(policy.call("total", np.ones(3)) for _ in range(400))}


class Swallows(Base):
    """Hides the policy's failures from itself."""

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        for _ in range(3):
            try:
                policy.call("total", np.ones(3))
            except Exception:
                continue
        return {"answer": 1.0}


class Trips(Base):
    """Stumbles over what a failed call left behind."""

    def run(self, workload: Workload, policy: Policy) -> Metrics:
        answer = None
        try:
            answer = policy.call("total", np.ones(3))
        finally:
            float(answer)
        return {}


class Refuses(Base):
    def run(self, workload: Workload, policy: Policy) -> Metrics:
        raise WrongAnswer(f"refused: {policy.call('total', np.ones(3))} at 0x7f0123456789")


class Broken(Base):
    def run(self, workload: Workload, policy: Policy) -> Metrics:
        return {"answer": 1 / (policy.call("total", np.ones(3)) - 3)}


class NotFinite(Base):
    def run(self, workload: Workload, policy: Policy) -> Metrics:
        return {"answer": policy.call("total", np.array([np.inf]))}


class Unsendable(Base):
    def run(self, workload: Workload, policy: Policy) -> Metrics:
        return {"answer": policy.call("total", object())}


class Dies(Base):
    def run(self, workload: Workload, policy: Policy) -> Metrics:
        os.write(2, b"the simulator tears the house down\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


class Unstable(Base):
    """Lists other workloads in every process."""

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return [Workload("only", "regime", "cluster", {"pid": os.getpid()})]


class NeedsOptions(Base):
    def __init__(self, size: int) -> None:
        self.size = size


class BadInterface(Base):
    interface = Interface.from_text("class Thing: ...\ndef f(a: Thing) -> int: ...\n")
