"""A user's own table, from CSV or Parquet."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adrs.errors import InputError
from evaluators.llm_sql.table import Table

if TYPE_CHECKING:
    import pandas as pd


def read_table(file: str) -> Table:
    """A CSV file with a header (cells as they are written), or a Parquet file by its ending `.parquet`.

    Raises:
        InputError: unreadable, ragged, empty, with names that make prompts ambiguous, or Parquet without pyarrow.
    """
    path = Path(file)
    table = _parquet(file, path) if path.suffix.lower() == ".parquet" else _csv(file, path)
    _check_names(file, table.columns)
    if len(table.rows) < 2:
        raise InputError(f"{file}: {len(table.rows)} rows; expected a header and at least two rows to order")
    return table


def from_frame(frame: pd.DataFrame) -> Table:
    """The frame's cells as text: whole numbers without a point, missing values empty."""
    texts = frame.convert_dtypes().astype("string").fillna("")
    return Table(tuple(map(str, texts.columns)), tuple(texts.itertuples(index=False, name=None)))


def _csv(file: str, path: Path) -> Table:
    try:
        csv.field_size_limit(sys.maxsize)  # a document may be one cell; by default 131,072 characters
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = tuple(next(reader, ()))
            rows = []
            for row in reader:
                if row and len(row) != len(columns):
                    raise InputError(f"{file}:{reader.line_num}: expected {len(columns)} cells, got {len(row)}")
                if row:  # an empty line is none
                    rows.append(tuple(row))
    except OSError as error:
        raise InputError(f"{file}: cannot read the table: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: the table is not UTF-8 text; expected CSV, or Parquet named *.parquet") from None
    except csv.Error as error:
        raise InputError(f"{file}:{reader.line_num}: not CSV: {error}") from None
    return Table(columns, tuple(rows))


def _parquet(file: str, path: Path) -> Table:
    import pandas as pd

    try:
        return from_frame(pd.read_parquet(path))
    except ImportError:
        raise InputError(f"{file}: Parquet needs pyarrow: pip install 'adrs-toolkit[parquet]', or give CSV") from None
    except OSError as error:
        raise InputError(f"{file}: cannot read the table: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{file}: cannot read it as Parquet: {str(error).splitlines()[0]}") from None


def _check_names(file: str, columns: Sequence[str]) -> None:
    """Names that are told apart at the start of a line `name: value`."""
    if not columns:
        raise InputError(f"{file}:1: expected a header with the names of the columns")
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise InputError(f"{file}:1: one column, named {columns[0]!r}; expected commas between columns")
    for index, name in enumerate(columns):
        if not name.strip():
            raise InputError(f"{file}:1: column {index + 1} has no name")
        if name in columns[:index]:
            raise InputError(f"{file}:1: two columns are named {name!r}; give them different names")
        if ": " in name or "\n" in name or "\r" in name:
            raise InputError(f"{file}:1: column name {name!r} holds ': ' or a line end; prompts would be ambiguous")
