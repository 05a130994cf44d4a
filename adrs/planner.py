"""Plans slots: the strategy's selection, with all that may not change between planning and proposing."""

from __future__ import annotations

import random
from typing import Protocol

from adrs.archive.records import Plan
from adrs.proposers.base import Candidate, Proposer
from adrs.search import Strategy


class Planner(Protocol):
    """A fold over the committed prefix that turns the next position into a plan."""

    def observe(self, candidate: Candidate) -> None: ...

    def plan(self, position: int) -> Plan | None:
        """The slot at a position (1, 2, ...), or None when there is none to come."""


class StrategyPlanner:
    """Asks the strategy whom to mutate and the proposer for its hints; randomness is keyed by (seed, slot)."""

    def __init__(self, strategy: Strategy, proposer: Proposer, seed: int) -> None:
        self.strategy = strategy
        self.proposer = proposer
        self.seed = seed

    def observe(self, candidate: Candidate) -> None:
        self.strategy.observe(candidate)
        self.proposer.observe(candidate)

    def plan(self, position: int) -> Plan:
        selection = self.strategy.select(position, random.Random(f"{self.seed}:{position}:select"))
        return Plan(
            id=position,
            position=position,
            parents=selection.parents,
            inspirations=selection.inspirations,
            failures=selection.failures,
            threshold=selection.threshold,
            hints=self.proposer.hints(),
        )
