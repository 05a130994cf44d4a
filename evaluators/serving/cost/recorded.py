"""A user's own measurements: one CSV file, a row a measurement. The built-in profiles are files of this form too.

Columns, in any order: `kind,tokens,before,sequences,context,milliseconds`; what a kind does not use stays empty. All
times are those of the whole model (all layers) on the GPUs of one instance:

| kind | measured | uses |
|---|---|---|
| `linear` | linear layers, norms, communication | `tokens` of the batch |
| `experts` | the experts of a mixture | `tokens` of the batch |
| `head` | output head and sampling | `sequences` that make a token |
| `attention` | of a chunk of `tokens` behind `before` cached ones, of `sequences` that decode | all but `kind` |
| | with `context` tokens each, or of both in one batch | |
| `step` | host work of an iteration | |
| `sequence` | host work of a scheduled sequence | |

Needed are `linear`, `head`, and `attention` of at least one chunk and of three decoding batches.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from adrs.errors import InputError
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.fit import AttentionTime
from evaluators.serving.cost.measurements import Measurements, chunk, decoding, together
from evaluators.serving.cost.profile import NOTHING, Grid

COLUMNS = ("kind", "tokens", "before", "sequences", "context", "milliseconds")
GRIDS = {"linear": "tokens", "experts": "tokens", "head": "sequences"}
HOST = ("step", "sequence")
KINDS = (*GRIDS, "attention", *HOST)
_DIGITS = 8  # of a count
_LONGEST = 1e7  # milliseconds

_Cell = int | str


def read_measurements(path: Path) -> Measurements:
    """The measurements of a CSV file. Raises InputError, naming file and line, if it is not of the form above."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = _rows(path, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}; expected a CSV file with {','.join(COLUMNS)}") from error
    grids = {kind: _grid(path, kind, [row for row in rows if row.kind == kind]) for kind in GRIDS}
    linear, head = grids["linear"], grids["head"]
    if linear is None or head is None:
        raise InputError(f"{path}: kind {'linear' if linear is None else 'head'}: no rows; add at least one")
    if not max(linear.seconds):
        raise InputError(f"{path}: kind 'linear': all milliseconds are 0; expected measured times")
    host = {row.kind: row.seconds for row in rows if row.kind in HOST}
    return Measurements(
        linear,
        head,
        _attention(path, [row for row in rows if row.kind == "attention"]),
        grids["experts"] or NOTHING,
        host.get("step", 0.0),
        host.get("sequence", 0.0),
    )


class _Row:
    """One line, checked."""

    def __init__(self, where: str, cells: Mapping[str, str | None]) -> None:
        self.where = where
        self.kind = (cells["kind"] or "").strip()
        if self.kind not in KINDS:
            raise InputError(f"{where}: kind {self.kind!r}; expected one of {', '.join(KINDS)}")
        self.tokens, self.before, self.sequences, self.context = (
            _whole(where, name, cells[name]) for name in COLUMNS[1:5]
        )
        self.seconds = _milliseconds(where, cells["milliseconds"]) / 1000

    @property
    def batch(self) -> Batch:
        """Of an `attention` row."""
        if not self.tokens and not self.sequences:
            raise InputError(f"{self.where}: attention of neither tokens nor sequences; fill in one of them")
        prompt = chunk(self.before, self.tokens) if self.tokens else Batch()
        return together(prompt, decoding(self.sequences, self.context))


def _rows(path: Path, file: Iterable[str]) -> list[_Row]:
    reader = csv.DictReader(file)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path}: line 1: no column {missing[0]!r}; expected {','.join(COLUMNS)}")
    return [_Row(f"{path}: line {reader.line_num}", cells) for cells in reader]


def _whole(where: str, name: str, cell: str | None) -> int:
    text = (cell or "0").strip() or "0"
    if not text.isdecimal() or len(text) > _DIGITS:
        raise InputError(
            f"{where}: {name} {text[:20]!r}; expected a whole number of at most {_DIGITS} digits, or nothing"
        )
    return int(text)


def _milliseconds(where: str, cell: str | None) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = -1.0
    if not 0 <= value <= _LONGEST:
        raise InputError(
            f"{where}: milliseconds {cell or 'missing'!r:.24}; expected a number from 0 to {_LONGEST:,.0f}"
        )
    return value


def _grid(path: Path, kind: str, rows: list[_Row]) -> Grid | None:
    """None if there are no rows."""
    seconds: dict[int, float] = {}
    for row in rows:
        size = row.tokens if GRIDS[kind] == "tokens" else row.sequences
        if size == 0:
            raise InputError(f"{row.where}: {kind} without {GRIDS[kind]}; expected a number above 0")
        if size in seconds:
            raise InputError(f"{row.where}: {kind} of {size} {GRIDS[kind]} again; keep one row of each size")
        seconds[size] = row.seconds
    return Grid(tuple(sorted(seconds)), tuple(seconds[size] for size in sorted(seconds))) if seconds else None


def _attention(path: Path, rows: list[_Row]) -> tuple[AttentionTime, ...]:
    times = tuple(AttentionTime(row.batch, row.seconds) for row in rows)
    alone = (time.batch for time in times if time.batch.decodes == time.batch.sequences)
    decodes = len({(batch.decodes, batch.context) for batch in alone})
    chunks = sum(time.batch.decodes == 0 for time in times)
    if decodes < 3 or chunks < 1:
        raise InputError(
            f"{path}: attention of {chunks} chunks and {decodes} different decoding batches; need 1 and 3 or more"
        )
    return times


def write_measurements(path: Path, measured: Measurements) -> None:
    """Write the file that `read_measurements` reads, to five digits."""
    host = [("step", "", "", "", "", measured.step), ("sequence", "", "", "", "", measured.sequence)]
    lines: list[tuple[str, _Cell, _Cell, _Cell, _Cell, float]] = [
        *(("linear", size, "", "", "", seconds) for size, seconds in _nodes(measured.linear)),
        *(("experts", size, "", "", "", seconds) for size, seconds in _nodes(measured.experts)),
        *(("head", "", "", size, "", seconds) for size, seconds in _nodes(measured.head)),
        *(("attention", *_attention_cells(time.batch), time.seconds) for time in measured.attention),
        *host,
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*cells, f"{seconds * 1000:.5g}") for *cells, seconds in lines)


def _nodes(grid: Grid) -> Iterable[tuple[int, float]]:
    return () if grid is NOTHING else zip(grid.sizes, grid.seconds, strict=True)


def _attention_cells(batch: Batch) -> tuple[_Cell, _Cell, _Cell, _Cell]:
    tokens = batch.tokens - batch.decodes
    prompt = (tokens, batch.reread) if tokens else ("", "")
    decodes = (batch.decodes, batch.context // batch.decodes) if batch.decodes else ("", "")
    return (*prompt, *decodes)
