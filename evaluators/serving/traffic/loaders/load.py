"""A recorded trace as requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.data import data_file
from evaluators.serving.request import Request
from evaluators.serving.traffic.loaders import azure, burstgpt, mooncake
from evaluators.serving.traffic.loaders.reading import Row, opened
from evaluators.serving.traffic.loaders.selection import Selection

EVERYTHING = Selection()
_TABLES: Sequence[tuple[Sequence[str], Callable[[Path], Iterator[Row]]]] = (
    (azure.COLUMNS, azure.rows),
    (burstgpt.COLUMNS, burstgpt.rows),
)
_FIRST_LINE = 10_000  # characters looked at


def load(path: Path, selection: Selection = EVERYTHING) -> list[Request]:
    """The selected requests of a trace in any of the known formats, in the order of arrival.

    Raises:
        InputError: a file that cannot be read or is none of them, a wrong field, or nothing selected.
    """
    return selection.requests(path, _reader(path)(path))


def load_options(given: Mapping[str, Any], where: str) -> list[Request]:
    """The same from a problem's options: `file`, a path or `data:NAME` of `adrs data`, and fields of `Selection`.

    Raises:
        InputError: as `load`, and for options that are wrong; `where` is how the message names them.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get("file"), str):
        raise InputError(f"{where}.file: expected a trace's path, or data:NAME with a name of `adrs data`")
    selection = Selection.from_options({key: value for key, value in given.items() if key != "file"}, where)
    return load(data_file(given["file"]), selection)


def _reader(path: Path) -> Callable[[Path], Iterator[Row]]:
    with opened(path) as stream:
        first = stream.readline(_FIRST_LINE)
    if first.lstrip().startswith("{"):
        return mooncake.rows
    found = {name.strip().strip('"') for name in first.split(",")}
    for columns, rows in _TABLES:
        if found.intersection(columns):
            return rows
    known = " or ".join(",".join(columns) for columns, _ in _TABLES)
    raise InputError(f"{path}:1: not a known trace; expected a header with {known}, or Mooncake's JSON lines")
