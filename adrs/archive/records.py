"""Rows of the archive as data classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adrs.evaluation.outcome import Status

Order = Literal["slot", "arrival"]


@dataclass(frozen=True)
class RunInfo:
    """What a run is, fixed when it is created."""

    problem: str  # name
    problem_hash: str
    snapshot: str  # the whole problem as JSON text
    objective: Mapping[str, str]  # metric, direction, aggregate
    fingerprint: str  # of the evaluator
    limits_hash: str
    seed: int
    order: Order
    lag: int
    strategy: str
    proposer: Mapping[str, Any]  # how to build the proposer again
    sandbox: str
    environment: Mapping[str, str]
    warm: tuple[str, ...] = ()  # sha of sources that fill the first slots
    created: str = ""


@dataclass(frozen=True)
class Plan:
    """A slot before anybody proposes: written in the transaction that commits an earlier slot, never changed."""

    id: int
    position: int  # place in the order of planning; equals the id except in a replay
    parents: tuple[int, ...]
    inspirations: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    threshold: float | None = None  # train score below which the candidate cannot matter
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """A plan, and its proposal if one was recorded."""

    plan: Plan
    proposal: str | None = None  # ok, unapplied, void
    source: str | None = None
    operator: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a slot ended, as committed."""

    status: Status
    score: float | None = None
    error: str = ""
    evaluated: int = 0  # train workloads that the outcome rests on, from the first on
    duplicate_of: int | None = None


@dataclass(frozen=True)
class LlmTotals:
    """Calls of a run. A call in flight, or lost with a killed run, counts with what was reserved for it."""

    calls: int
    tokens: int
    usd: float
