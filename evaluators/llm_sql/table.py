"""A table of strings, and which of its columns determine which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Table:
    """Rows of cells, all of one width; column names are distinct, without line ends and without `: `."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @cached_property
    def codes(self) -> npt.NDArray[np.int64]:
        """[rows, columns]. Equal cells of a column have equal codes, numbered from 0 by first appearance."""
        return np.stack([_codes(column) for column in zip(*self.rows, strict=True)], axis=1)

    @cached_property
    def dependencies(self) -> list[list[int]]:
        """For each column, the other columns that its value determines in every row: exact, by counting pairs."""
        codes = self.codes
        sizes = codes.max(axis=0) + 1
        return [
            [other for other in range(len(sizes)) if other != column and _determines(codes, sizes, column, other)]
            for column in range(len(sizes))
        ]


def _codes(cells: Sequence[str]) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(cell, len(numbers)) for cell in cells], dtype=np.int64)


def _determines(codes: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], column: int, other: int) -> bool:
    pairs = codes[:, column] * sizes[other] + codes[:, other]
    return bool(len(np.unique(pairs)) == sizes[column])
