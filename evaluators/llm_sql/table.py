"""A table of strings, and which of its columns determine which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Table:
    """Rows of cells, all of one width; column names are distinct, without line ends and without `: `.

    `declared` are dependencies known of the table, in place of those that its rows happen to show.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    declared: tuple[tuple[int, ...], ...] | None = None

    @cached_property
    def codes(self) -> npt.NDArray[np.int64]:
        """[rows, columns]. Equal cells of a column have equal codes, numbered from 0 by first appearance."""
        return np.stack([_codes(column) for column in zip(*self.rows, strict=True)], axis=1)

    @cached_property
    def dependencies(self) -> list[list[int]]:
        """For each column, the other columns that its value determines: as declared, or else all that hold."""
        if self.declared is not None:
            return [list(determined) for determined in self.declared]
        columns = range(len(self.columns))
        return [[other for other in columns if other != one and self.determines(one, other)] for one in columns]

    def determines(self, column: int, other: int) -> bool:
        """Whether rows that agree in the one column agree in the other: as many distinct pairs as values of the one."""
        one, two = self.codes[:, column], self.codes[:, other]
        return bool(len(np.unique(one * (two.max() + 1) + two)) == one.max() + 1)


def _codes(cells: Sequence[str]) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(cell, len(numbers)) for cell in cells], dtype=np.int64)
