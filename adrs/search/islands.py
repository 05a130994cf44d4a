"""The default strategy: islands, each with a MAP-Elites grid, and migration around a ring.

Islands after FunSearch (Romera-Paredes et al. 2024, Methods) and grids after MAP-Elites (Mouret & Clune 2015). Slot s
belongs to island s mod n, so that the island of a candidate follows from its id.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from adrs.problem import Feature
from adrs.proposers.base import Candidate
from adrs.search.base import Ranked, RecentFailures, Selection, pick
from adrs.search.features import Cell, FeatureMap

EXPLOIT = 0.4  # chance that the parent is the island's best instead of a ranked draw from its elites
ABROAD = 0.3  # chance that a mate comes from another island
RACE_FROM = 8  # elites that an island must have before its weaker half sets the threshold of racing


class Island:
    """One grid: the best candidate of each cell."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Ranked] = {}
        self.elites: list[Ranked] = []  # best first

    def add(self, cell: Cell, ranked: Ranked) -> None:
        incumbent = self._cells.get(cell)
        if incumbent is None or ranked.key < incumbent.key:
            self._cells[cell] = ranked
            self.elites = sorted(self._cells.values(), key=lambda elite: elite.key)

    def clear(self) -> None:
        self._cells.clear()
        self.elites.clear()


class Islands:
    """Every `migrate_every` commits each island's best joins the next island. Every `reset_every` commits the worse
    half of the islands starts anew from the best of a better one.
    """

    def __init__(
        self, count: int = 4, features: Sequence[Feature] = (), migrate_every: int = 40, reset_every: int = 240
    ) -> None:
        self.migrate_every = migrate_every
        self.reset_every = reset_every
        self._map = FeatureMap(features)
        self._islands = [Island() for _ in range(count)]
        self._cell: dict[int, Cell] = {}  # of every candidate that may still migrate
        self._failures = RecentFailures()
        self._observed = 0

    def observe(self, candidate: Candidate) -> None:
        self._failures.observe(candidate)
        if candidate.score is not None:
            homes = self._islands if candidate.id == 0 else [self._islands[candidate.id % len(self._islands)]]
            cell = self._cell[candidate.id] = self._map.cell(candidate)
            for island in homes:
                island.add(cell, Ranked.of(candidate))
        self._observed += 1
        if self._observed % self.reset_every == 0:
            self._reset()
        elif self._observed % self.migrate_every == 0:
            self._migrate()

    def select(self, slot: int, rng: random.Random) -> Selection:
        island = self._islands[slot % len(self._islands)]
        parent = island.elites[0] if rng.random() < EXPLOIT else pick(island.elites, rng)
        kin = [elite.id for elite in island.elites if elite.id != parent.id]
        abroad = [other.elites[0].id for other in self._islands if other is not island]
        strangers = [id for id in dict.fromkeys(abroad) if id != parent.id]
        pool = strangers if strangers and (not kin or rng.random() < ABROAD) else kin
        mate = rng.sample(pool, min(1, len(pool)))
        inspirations = dict.fromkeys([*kin[:1], *rng.sample(kin, min(1, len(kin))), *strangers[:1]])
        return Selection(
            parents=(parent.id, *mate),
            inspirations=tuple(id for id in inspirations if id not in mate)[:3],
            failures=self._failures.ids,
            threshold=_threshold(island),
        )

    def _migrate(self) -> None:
        travellers = [island.elites[0] for island in self._islands]
        for position, traveller in enumerate(travellers):
            self._islands[(position + 1) % len(self._islands)].add(self._cell[traveller.id], traveller)

    def _reset(self) -> None:
        ranked = sorted(self._islands, key=lambda island: island.elites[0].key)
        half = len(ranked) // 2
        for loser, winner in zip(ranked[len(ranked) - half :], ranked[:half], strict=True):
            founder = winner.elites[0]
            loser.clear()
            loser.add(self._cell[founder.id], founder)


def _threshold(island: Island) -> float | None:
    """The middle elite's score: a weaker candidate could at best open a cell that is seldom drawn."""
    if len(island.elites) < RACE_FROM:
        return None
    return island.elites[len(island.elites) // 2].score
