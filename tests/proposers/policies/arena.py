"""Four small scheduling problems with simulators in the same process, for testing the offline proposer alone.

Their policies are trusted to the extent that our own operators wrote them; a timer ends those that loop.
"""

from __future__ import annotations

import random
import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adrs.evaluation.interface import Interface

Namespace = dict[str, Any]
_HERE = Path(__file__).parent


class Refused(Exception):
    """The answer breaks the rules."""


@dataclass(frozen=True)
class Arena:
    name: str
    simulate: Callable[[Namespace], tuple[float, object]]  # -> score, a trace of the behaviour

    @property
    def interface(self) -> Interface:
        return Interface.from_file(_HERE / f"{self.name}_interface.py")

    @property
    def seed(self) -> str:
        return (_HERE / f"{self.name}_policy.py").read_text(encoding="utf-8")

    def evaluate(self, source: str, seconds: float = 2.0) -> tuple[float, object]:
        """Score and behaviour of a policy; whatever it raises passes, `TimeoutError` after `seconds`."""
        with _timer(seconds):
            namespace: Namespace = {"__name__": "policy"}
            exec(compile(source, "policy", "exec"), namespace)
            return self.simulate(namespace)


@contextmanager
def _timer(seconds: float) -> Iterator[None]:
    def expire(number: int, frame: types.FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _moe(policy: Namespace) -> tuple[float, object]:
    """Mean over windows of mean / max device load, each placement judged on the window after it."""
    rng = np.random.default_rng(7)
    layers, experts, slots, gpus = 2, 16, 24, 4
    popularity = rng.pareto(1.2, (layers, experts)) + 0.05
    scores, trace = [], []
    placement = None
    for _ in range(5):
        seen = popularity * rng.gamma(4.0, 0.25, popularity.shape)
        if placement is not None:
            scores.append(_balance(placement, seen, gpus))
        placement = np.asarray(policy["place"](seen.copy(), slots, gpus))
        _check_placement(placement, layers, experts, slots)
        trace.append(placement.tolist())
        popularity = popularity * rng.lognormal(0.0, 0.1, popularity.shape)
    return float(np.mean(scores)), trace


def _check_placement(placement: np.ndarray, layers: int, experts: int, slots: int) -> None:
    if placement.shape != (layers, slots) or not np.issubdtype(placement.dtype, np.integer):
        raise Refused(f"shape {placement.shape}, dtype {placement.dtype}")
    for row in placement:
        if set(row.tolist()) != set(range(experts)):
            raise Refused("an expert is missing")


def _balance(placement: np.ndarray, load: np.ndarray, gpus: int) -> float:
    shares = []
    for row, weights in zip(placement, load, strict=True):
        counts = np.bincount(row, minlength=len(weights))
        totals = (weights[row] / counts[row]).reshape(gpus, -1).sum(axis=1)
        shares.append(totals.mean() / totals.max())
    return float(np.mean(shares))


@dataclass(frozen=True)
class _Request:
    arrival: float
    prompt_tokens: int
    expected_tokens: int
    priority_class: int


def _batching(policy: Namespace) -> tuple[float, object]:
    """Minus the mean time in system, priority requests counted three times, of a server that runs batch by batch."""
    rng = random.Random(3)
    arrivals = sorted(rng.uniform(0.0, 60.0) for _ in range(90))
    coming = [
        _Request(
            t, int(rng.lognormvariate(5.0, 1.0)) + 1, int(rng.lognormvariate(4.0, 1.0)) + 1, int(rng.random() < 0.2)
        )
        for t in arrivals
    ]
    now, waiting, total, trace = 0.0, [], 0.0, []
    while coming or waiting:
        if not waiting:
            now = max(now, coming[0].arrival)
        while coming and coming[0].arrival <= now:
            waiting.append(coming.pop(0))
        chosen = policy["select"](list(waiting), now, 2000)
        _check_batch(chosen, waiting)
        trace.append(tuple(chosen))
        for index in chosen:
            now += 0.002 * waiting[index].prompt_tokens + 0.004 * waiting[index].expected_tokens
            total += (now - waiting[index].arrival) * (3.0 if waiting[index].priority_class else 1.0)
        waiting = [request for index, request in enumerate(waiting) if index not in chosen]
    return -total / len(arrivals), trace


def _check_batch(chosen: object, waiting: list[_Request]) -> None:
    if not isinstance(chosen, list) or not chosen or len(set(chosen)) != len(chosen):
        raise Refused(f"batch {chosen!r}")
    if not all(type(index) is int and 0 <= index < len(waiting) for index in chosen):
        raise Refused("an index out of range")
    if len(chosen) > 1 and sum(waiting[index].prompt_tokens for index in chosen) > 2000:
        raise Refused("more tokens than the budget")


def _packing(policy: Namespace) -> tuple[float, object]:
    """Minus the number of hosts opened."""
    rng = np.random.default_rng(5)
    demands = np.clip(rng.beta(1.5, 4.0, (120, 2)), 0.02, 0.95)
    free = np.zeros((0, 2))
    trace = []
    for cpu, memory in demands:
        host = policy["choose"](float(cpu), float(memory), free.copy())
        if type(host) is not int or not -1 <= host < len(free):
            raise Refused(f"host {host!r}")
        if host < 0:
            free, host = np.vstack([free, [[1.0, 1.0]]]), len(free)
        free[host] -= (cpu, memory)
        if (free[host] < -1e-9).any():
            raise Refused("no room")
        trace.append(host)
    return -float(len(free)) - float((free**2).sum()) / 1000.0, trace


def _caching(policy: Namespace) -> tuple[float, object]:
    """Share of bytes served from a cache, Zipf popularity with drift and sequential scans."""
    rng = random.Random(11)
    cached: dict[int, int] = {}
    hits, total, trace = 0, 0, []
    for step in range(600):
        key = 1000 + step if rng.random() < 0.25 else min(int(rng.paretovariate(0.9)), 300) + step // 200
        size = 1 + key * 7 % 9
        policy["accessed"](key, size, float(step))
        total += size
        hits += size if key in cached else 0
        cached[key] = size
        while sum(cached.values()) > 120:
            keys = list(cached)
            victim = policy["evict"](list(keys), [cached[k] for k in keys], float(step))
            if type(victim) is not int or not 0 <= victim < len(keys):
                raise Refused(f"victim {victim!r}")
            trace.append(keys[victim])
            del cached[keys[victim]]
    return hits / total, trace


ARENAS = (Arena("moe", _moe), Arena("batching", _batching), Arena("packing", _packing), Arena("caching", _caching))
