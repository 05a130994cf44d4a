"""What a proposer is: the writer of the next candidate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from adrs.evaluation.interface import Interface
from adrs.evaluation.outcome import Status

IMPORT = "import"  # operator of a candidate that a warm start brought: its planned parents are not its ancestors


@dataclass(frozen=True)
class Candidate:
    """A committed candidate as strategies and proposers see it."""

    id: int
    parents: tuple[int, ...]
    source: str
    operator: str  # what the proposer says it did, e.g. "constant" or "llm"
    status: Status
    score: float | None  # train score; None unless `ok`
    error: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)  # workload name -> score
    bounds: Mapping[str, float] = field(default_factory=dict)  # workload name -> bound of the score
    metrics: Mapping[str, float] = field(default_factory=dict)  # metric -> mean over train workloads
    code_size: int = 0  # nodes of the syntax tree, docstrings aside
    hints: Mapping[str, Any] = field(default_factory=dict)  # what the proposer was told when it wrote it
    notes: Mapping[str, Any] = field(default_factory=dict)  # what the proposer recorded about the change
    parent_score: float | None = None  # of the first parent


@dataclass(frozen=True)
class Brief:
    """The problem as a proposer may know it: nothing of the workloads, the baselines or the evaluator's code."""

    name: str
    title: str
    description: str
    interface: Interface
    objective: str  # e.g. "maximize gap_closed (mean over workloads)"
    source_kb: int


@dataclass(frozen=True)
class Call:
    """An LLM call of this slot as the journal has it; `reply` is None while none was received."""

    id: int
    prompt: Sequence[Mapping[str, str]]  # chat messages
    reply: str | None
    outcome: str  # sent (in flight, or lost with a killed run), ok, or why no reply came, e.g. http_429


class Journal(Protocol):
    """One slot's record of LLM calls, durable before each method returns."""

    def calls(self) -> Sequence[Call]:
        """Earlier calls of this slot in order, those of a killed run included."""

    def sent(self, model: str, messages: Sequence[Mapping[str, str]], reserve_tokens: int, reserve_usd: float) -> int:
        """Record a call before it leaves, with the most it can cost. Returns its id.

        Raises `BudgetReached` when the reserve of all calls in flight would pass the run's budget.
        """

    def received(self, call: int, reply: str, prompt_tokens: int, reply_tokens: int, usd: float) -> None: ...

    def failed(self, call: int, outcome: str, message: str) -> None:
        """The call ended without a usable reply; `outcome` is e.g. `http_429`, `timeout`, `disconnected`."""


class BudgetReached(Exception):
    """No further call may leave; the loop ends the run with the budget named."""

    def __init__(self, budget: str) -> None:
        super().__init__(budget)
        self.budget = budget


@dataclass(frozen=True)
class Request:
    """All that a proposer may look at to fill one slot."""

    slot: int
    seed: int  # of the run: (seed, slot) keys all randomness
    brief: Brief
    parent: Candidate
    mates: Sequence[Candidate] = ()  # further parents, for crossover
    inspirations: Sequence[Candidate] = ()
    failures: Sequence[Candidate] = ()  # recent failures, with their messages
    hints: Mapping[str, Any] = field(default_factory=dict)  # Proposer.hints() when the slot was planned
    journal: Journal | None = None

    def rng(self, purpose: str = "propose") -> random.Random:
        """A generator that depends on nothing but the run's seed, the slot and the purpose."""
        return random.Random(f"{self.seed}:{self.slot}:{purpose}")


@dataclass(frozen=True)
class Proposal:
    """What came of a slot. `source` is None unless the status is `ok`."""

    status: Literal["ok", "unapplied", "void"]
    source: str | None
    operator: str
    notes: Mapping[str, Any] = field(default_factory=dict)  # JSON
    error: str = ""


class Proposer(Protocol):
    """Writes children. `propose` may run many times concurrently; all learning goes through `observe`.

    `observe` is called once for each committed candidate, in commit order, also for the prefix of a resumed run: what
    a proposer knows is a fold over the committed prefix. `hints` is stored with each slot when it is planned, and is
    the only learned state that `propose` may use.
    """

    name: str
    order: Literal["slot", "arrival"]
    lag: int  # slots planned ahead, = proposals in flight at most

    def describe(self) -> str:
        """One line for the run's header: who proposes, e.g. `offline (no LLM configured: ...)`."""

    def observe(self, candidate: Candidate) -> None: ...

    def hints(self) -> Mapping[str, Any]:
        """JSON; small, for it is stored with each slot."""

    async def propose(self, request: Request) -> Proposal:
        """Raises `ProposerError` when the run cannot go on, `BudgetReached` when no further call may leave."""

    async def close(self) -> None: ...
