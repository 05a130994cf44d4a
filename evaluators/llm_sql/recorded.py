"""Tables that are not generated, cut into stretches of consecutive rows: a user's own, or those of packages.

Options of a user's table (`--set options.table=...` or `options: {table: {...}}` in the problem):

    file           CSV with a header, or Parquet (`*.parquet`, needs pyarrow)
    rows           rows of a stretch, one workload each (default 150)
    cache_blocks   blocks of 16 tokens that the cache holds (default: a twelfth of the stretch's tokens, as for
                   generated tables)
    dependencies   {column: [columns that it determines]}, checked; by default all that hold in the stretch are found

Of a table's rows the first 40 % are for training, the next 20 % for validation, the last 40 % are reserved for test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.llm_sql.files import read_table
from evaluators.llm_sql.packaged import FAMILIAR, SHIFTED, packaged_table
from evaluators.llm_sql.table import Table

PARTS: dict[Split, tuple[float, float]] = {"train": (0.0, 0.4), "validation": (0.4, 0.6), "test": (0.6, 1.0)}
MOST_STRETCHES: dict[Split, int] = {"train": 6, "validation": 4, "test": 24}
LEAST_CLUSTERS = 24  # as `verify.clusters` of the problems asks for
MOST_ROWS = 4000  # of a stretch: the bound compares all pairs of rows

PACKAGED_ROWS = 300
PACKAGED_STRETCHES: dict[Split, int] = {"train": 2, "validation": 2, "test": 8}


@dataclass(frozen=True)
class Options:
    """What the user says of a table; see above."""

    file: str
    rows: int = 150
    cache_blocks: int | None = None
    dependencies: Mapping[str, Sequence[str]] | None = None


class Recorded:
    """Tables by name. Each stretch is a workload and a cluster; the salt changes nothing, for a table is finite."""

    def __init__(self, tables: Mapping[str, Table], cache_blocks: int | None = None) -> None:
        self.cache_blocks = cache_blocks
        self._tables = dict(tables)
        self._digests = {name: _digest(table) for name, table in tables.items()}

    def stretch(self, parameters: Mapping[str, Any]) -> Table:
        """The rows that a workload names."""
        table = self._tables[parameters["table"]]
        return replace(table, rows=table.rows[parameters["from"] : parameters["to"]])

    def workloads(self, name: str, part: tuple[float, float], rows: int, most: int) -> list[Workload]:
        """At most so many stretches of so many rows, evenly spread over a part of a table."""
        total = len(self._tables[name].rows)
        start, stop = (int(total * share) for share in part)
        count = min(most, (stop - start) // rows)
        starts = [start + (stop - start - rows) * index // max(1, count - 1) for index in range(count)]
        return [
            Workload(
                f"{name}-{at}",
                name,
                f"{name}-{at}",
                {"table": name, "digest": self._digests[name], "from": at, "to": at + rows},
            )
            for at in starts
        ]


class UserTable(Recorded):
    """One table of a file."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Check the options and read the file. Raises InputError for either."""
        self._options = _options(given)
        table = read_table(self._options.file)
        if self._options.dependencies is not None:
            table = replace(table, declared=_declared(table, self._options.dependencies))
        super().__init__({"table": table}, self._options.cache_blocks)
        self._total = len(table.rows)

    def listed(self, split: Split) -> list[Workload]:
        """Raises InputError: the table is too short for the split."""
        rows = self._options.rows
        found = self.workloads("table", PARTS[split], rows, MOST_STRETCHES[split])
        wanted = LEAST_CLUSTERS if split == "test" else 1
        if len(found) < wanted:
            low, high = PARTS[split]
            raise InputError(
                f"{self._options.file}: {high - low:.0%} of its {self._total} rows are for {split}, which gives "
                f"{len(found)} stretches of {rows}; expected {wanted} at least: lower options.table.rows or add rows"
            )
        return found


class PackagedTables(Recorded):
    """The real tables of `packaged`; some of them only in test."""

    def __init__(self) -> None:
        """Raises InputError: a package is not installed."""
        super().__init__({name: packaged_table(name) for name in (*FAMILIAR, *SHIFTED)})

    def listed(self, split: Split) -> list[Workload]:
        """Of familiar tables the split's part, of the others all rows."""
        parts = dict.fromkeys(FAMILIAR, PARTS[split]) | (dict.fromkeys(SHIFTED, (0.0, 1.0)) if split == "test" else {})
        return [
            workload
            for name, part in parts.items()
            for workload in self.workloads(name, part, PACKAGED_ROWS, PACKAGED_STRETCHES[split])
        ]


def _options(given: Mapping[str, Any]) -> Options:
    if not isinstance(given, dict):
        raise InputError(f"options.table: expected a mapping such as {{file: reviews.csv}}, got {given!r}")
    kinds: dict[str, Any] = {"file": str, "rows": int, "cache_blocks": int, "dependencies": dict}
    for name, value in given.items():
        if name not in kinds:
            raise InputError(f"options.table: unknown key {name!r}; expected {', '.join(kinds)}")
        if type(value) is not kinds[name] or (kinds[name] is int and value < 1):
            wanted = {"file": "a path", "dependencies": "a mapping {column: [columns]}"}.get(name, "a positive integer")
            raise InputError(f"options.table.{name}: expected {wanted}, got {value!r}")
    if "file" not in given:
        raise InputError("options.table: missing file")
    options = Options(**given)
    if not 2 <= options.rows <= MOST_ROWS:
        raise InputError(f"options.table.rows: expected 2 to {MOST_ROWS}, got {options.rows}")
    return options


def _declared(table: Table, dependencies: Mapping[str, Sequence[str]]) -> tuple[tuple[int, ...], ...]:
    declared: list[tuple[int, ...]] = [()] * len(table.columns)
    for name, determined in dependencies.items():
        if not isinstance(determined, list):
            raise InputError(f"options.table.dependencies.{name}: expected a list of columns, got {determined!r}")
        for one in (name, *determined):
            if one not in table.columns:
                raise InputError(f"options.table.dependencies: no column {one!r}; there are {', '.join(table.columns)}")
        column = table.columns.index(name)
        declared[column] = tuple(table.columns.index(one) for one in determined if one != name)
        for other in declared[column]:
            if not table.determines(column, other):
                raise InputError(
                    f"options.table.dependencies: {name!r} does not determine {table.columns[other]!r}: "
                    "rows that agree in the one differ in the other"
                )
    return tuple(declared)


def _digest(table: Table) -> str:
    """So that another file is another workload."""
    text = json.dumps([table.columns, table.rows, table.declared])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
