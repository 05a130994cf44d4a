"""Small tables, orders and policies for the tests of LLM-SQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from adrs.testing.direct import DirectPolicy
from evaluators.llm_sql.prompts import Order
from evaluators.llm_sql.table import Table

ROOT = Path(__file__).parents[2]


def policy(name: str) -> DirectPolicy:
    return DirectPolicy.from_source((ROOT / "seeds" / "llm_sql" / f"{name}.py").read_text(encoding="utf-8"))


def table(*rows: str, columns: str = "abcdefgh") -> Table:
    """A table of rows written as words."""
    cells = tuple(tuple(row.split()) for row in rows)
    return Table(tuple(columns[: len(cells[0])]), cells)


def random_table(rng: np.random.Generator, rows: int, columns: int, values: int, words: int = 6) -> Table:
    """Cells of up to so many words, few of them different, some beginning alike."""
    pool = [" ".join(rng.choice(["red", "green", "blue"], rng.integers(0, words + 1))) for _ in range(values)]
    cells = tuple(tuple(pool[value] for value in row) for row in rng.integers(0, values, (rows, columns)))
    return Table(tuple(f"column {index}" for index in range(columns)), cells)


def random_order(rng: np.random.Generator, rows: int, columns: int) -> Order:
    return Order(rng.permutation(rows), rng.permuted(np.tile(np.arange(columns), (rows, 1)), axis=1))


def all_orders(rows: int, columns: int) -> Iterator[Order]:
    fields = [np.array(one) for one in itertools.permutations(range(columns))]
    for chosen in itertools.product(fields, repeat=rows):
        by_row = np.stack(chosen)
        for sent in itertools.permutations(range(rows)):
            yield Order(np.array(sent), by_row[list(sent)])
