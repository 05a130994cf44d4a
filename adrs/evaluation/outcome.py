"""How evaluations and candidates end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal[
    "ok",
    # of the candidate
    "invalid",  # does not parse, or lacks the interface
    "crash",
    "timeout",
    "memory",
    "denied",  # the jail refused what it tried
    "wrong",  # the referee refuses its answer
    # of the search
    "raced",  # stopped early: never an elite, its partial sum never compared
    "duplicate",
    "unapplied",  # the reply did not apply to the parent
    "void",  # no candidate came of the slot
]


@dataclass(frozen=True)
class Limits:
    """What one policy process may use on one workload. CPU time is the limit, wall time only a backstop."""

    cpu_seconds: float = 20.0  # over the whole evaluation of one workload, loading the policy included
    call_seconds: float = 2.0  # CPU seconds of a single call
    memory_mb: int = 1024  # address space beyond what the bare jail takes
    source_kb: int = 64


@dataclass(frozen=True)
class Evaluation:
    """One policy on one workload, as the referee reports it. `metrics` is empty unless the status is `ok`."""

    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""  # one message for people and prompts; without addresses or times
    seconds: float = 0.0  # wall seconds that the policy's calls took; of a timed problem, those that were priced


@dataclass(frozen=True)
class Listed:
    """A workload as the coordinator knows it: its place in the evaluator's list, never its contents."""

    split: str
    salt: int
    index: int
    name: str
    regime: str
    cluster: str
    hash: str
    bound: Mapping[str, float]


@dataclass(frozen=True)
class Inspection:
    """A source text after parsing: `code_hash` is equal for texts that differ in layout, comments or docstrings."""

    status: Literal["ok", "invalid"]
    code_hash: str = ""
    code_size: int = 0  # nodes of the syntax tree, docstrings aside
    error: str = ""
