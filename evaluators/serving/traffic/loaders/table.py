"""Rows of a CSV file by the names of its header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from adrs.errors import InputError
from evaluators.serving.traffic.loaders.reading import Line, opened


def rows(path: Path, required: Sequence[str]) -> Iterator[tuple[Line, dict[str, str]]]:
    """Each row with its line. Raises InputError for anything that is not such a table."""
    with opened(path) as stream:
        reader = csv.reader(stream, strict=True)
        try:
            columns = [name.strip() for name in next(reader, [])]
            _check_header(path, columns, required)
            for cells in reader:
                if not cells:  # an empty line is none
                    continue
                line = Line(path, reader.line_num)
                if len(cells) != len(columns):
                    line.fail(f"expected {len(columns)} cells as in the header, got {len(cells)}")
                yield line, dict(zip(columns, cells, strict=True))
        except csv.Error as error:
            raise InputError(f"{path}:{reader.line_num}: not CSV: {error}; save it as plain CSV") from None


def _check_header(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    for name in required:
        if columns.count(name) != 1:
            got = ",".join(columns)[:100]
            raise InputError(f"{path}:1: expected one column {name} (of {', '.join(required)}), got {got!r}")
