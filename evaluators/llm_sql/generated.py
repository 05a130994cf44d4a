"""Tables from a seed: facts joined with the things that they are about, as a query engine hands them to an LLM.

A join repeats a film's description in each of its reviews; that is what makes prefixes worth sharing, and the film's
identifier determines its other columns. Popularity is Zipf-like: a few things fill most rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.llm_sql.table import Table
from evaluators.llm_sql.words import WORDS

Columns = dict[str, list[str]]
Random = np.random.Generator


@dataclass(frozen=True)
class Category:
    """One of `names` names, the most popular first."""

    names: int
    words: int = 1
    skew: float = 1.0

    def draw(self, rng: Random, count: int) -> list[str]:
        names: list[str] = []
        while len(names) < self.names:
            name = sentence(rng, self.words).title()
            if name not in names:
                names.append(name)
        return [names[index] for index in zipf(rng, self.names, self.skew, count)]


@dataclass(frozen=True)
class Text:
    """Free text of about `words` words; of its texts, those with the same one of `openings` begin alike for a third."""

    words: int
    openings: int = 0

    def draw(self, rng: Random, count: int) -> list[str]:
        starts = [sentence(rng, max(1, self.words // 3)) + " " for _ in range(self.openings)] or [""]
        chosen = rng.integers(0, len(starts), count)
        lengths = np.maximum(3, np.rint(self.words * rng.lognormal(-0.08, 0.4, count))).astype(int)
        return [
            (starts[at] + sentence(rng, length)).capitalize() + "." for at, length in zip(chosen, lengths, strict=True)
        ]


@dataclass(frozen=True)
class Number:
    """A number from low to high in steps of `step`."""

    low: float
    high: float
    step: float = 1.0

    def draw(self, rng: Random, count: int) -> list[str]:
        steps = rng.integers(0, round((self.high - self.low) / self.step) + 1, count)
        decimals = 0 if self.step >= 1 else 1 if self.step >= 0.1 else 2
        return [f"{self.low + self.step * number:.{decimals}f}" for number in steps]


@dataclass(frozen=True)
class Code:
    """An identifier, different in each row."""

    prefix: str

    def draw(self, rng: Random, count: int) -> list[str]:
        return [f"{self.prefix}{number}" for number in 10_000 + rng.permutation(9 * count)[:count]]


@dataclass(frozen=True)
class Day:
    """A date within so many days."""

    days: int

    def draw(self, rng: Random, count: int) -> list[str]:
        dates = np.datetime64("2024-01-01") + rng.integers(0, self.days, count)
        return [str(date) for date in dates]


@dataclass(frozen=True)
class Optional:
    """Empty in a share of the rows."""

    kind: Kind
    missing: float

    def draw(self, rng: Random, count: int) -> list[str]:
        absent = rng.random(count) < self.missing
        return ["" if gone else value for value, gone in zip(self.kind.draw(rng, count), absent, strict=True)]


Kind = Category | Text | Number | Code | Day | Optional


@dataclass(frozen=True)
class Link:
    """Each row refers to one of `share` times as many things, with this skew."""

    entity: Entity
    share: float
    skew: float = 0.8


@dataclass(frozen=True)
class Entity:
    """A kind of thing: its own fields, and the things that it belongs to."""

    fields: Mapping[str, Kind]
    links: tuple[Link, ...] = ()

    def draw(self, rng: Random, count: int) -> Columns:
        """So many things, joined with those that they belong to."""
        columns = {name: kind.draw(rng, count) for name, kind in self.fields.items()}
        for link in self.links:
            number = max(2, round(count * link.share))
            chosen = zipf(rng, number, link.skew, count)
            for name, values in link.entity.draw(rng, number).items():
                columns[name] = [values[index] for index in chosen]
        return columns


def zipf(rng: Random, number: int, skew: float, count: int) -> npt.NDArray[np.int64]:
    """Draws from 0 to number - 1 with probabilities that fall with rank as 1 / rank^skew."""
    weights = np.arange(1, number + 1) ** -skew
    return np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(count)).clip(max=number - 1)


def sentence(rng: Random, words: int) -> str:
    """So many words, common ones more often."""
    return " ".join([WORDS[index] for index in zipf(rng, len(WORDS), 0.7, words)])


def generate(entity: Entity, rows: int, sorted_by: str | None, seed: int) -> Table:
    """A table of so many rows, its columns in a random order, stored in order of one column or in none."""
    rng = np.random.default_rng(seed)
    columns = entity.draw(rng, rows)
    names = [list(columns)[index] for index in rng.permutation(len(columns))]
    lines = list(zip(*(columns[name] for name in names), strict=True))
    if sorted_by is not None:
        lines.sort(key=lambda line: line[names.index(sorted_by)])
    return Table(tuple(names), tuple(lines))
