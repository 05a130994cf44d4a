"""Prompts from a table in a given order: text by definition, token by token for the engine.

A prompt is the instruction and a line `name: value` a field. Lines are tokenised one by one: the tokenizers modelled
here never join characters across a line end, so prompts whose text agrees up to the end of a line agree in tokens up
to there too, and a token's line begins after the last line end before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from adrs.evaluation.protocol import WrongAnswer
from evaluators.llm_sql.table import Table
from evaluators.llm_sql.tokens import pieces

Ints = npt.NDArray[np.int64]
TOKEN_BYTES = 4

INSTRUCTION = (
    "You are a data analyst. Answer the question about the record below using only the fields that are given, one on "
    "each line as a name and a value. The fields come in no particular order, and a field without a value is unknown. "
    "Question: is the record relevant to the analysis, complete and consistent in itself? "
    "Answer with a single word, Yes or No.\n"
)


@dataclass(frozen=True)
class Order:
    """A checked answer; see `interface.reorder`."""

    rows: Ints
    fields: Ints


def check_order(answer: object, rows: int, columns: int) -> Order:
    """The answer as an order, in which every cell of every row has its place exactly once.

    Raises:
        WrongAnswer: it is none.
    """
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WrongAnswer("reorder must return two arrays, row_order and field_order")
    row_order = _integers("row_order", answer[0], (rows,))
    field_order = _integers("field_order", answer[1], (rows, columns))
    _check_permutations("row_order", row_order[None, :])
    _check_permutations("field_order", field_order)
    return Order(row_order, field_order)


def _integers(name: str, array: object, shape: tuple[int, ...]) -> Ints:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise WrongAnswer(f"{name} must be an integer array {list(shape)}, got {kind}")
    if array.shape != shape:
        raise WrongAnswer(f"{name} must have shape {list(shape)}, got {list(array.shape)}")
    if array.size and (array.min() < 0 or array.max() >= shape[-1]):
        raise WrongAnswer(f"{name} must hold indices from 0 to {shape[-1] - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _check_permutations(name: str, lines: Ints) -> None:
    """Each line holds indices in range; with no index missing it is a permutation."""
    width = lines.shape[1]
    missing = (np.sort(lines, axis=1) != np.arange(width)).any(axis=1)
    if missing.any():
        at = int(np.argmax(missing))
        absent = sorted(set(range(width)) - set(lines[at].tolist()))[0]
        where = name if len(lines) == 1 and name == "row_order" else f"{name}[{at}]"
        raise WrongAnswer(f"{where} must hold each index from 0 to {width - 1} once; {absent} is missing")


def line(name: str, value: str) -> str:
    """A field's line without its end; line ends within a value are written out."""
    if "\n" in value or "\r" in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{name}: {value}"


class Prompts:
    """The tokenised lines of a table.

    Attributes:
        instruction: tokens of the instruction, 4 bytes a token, as all tokens here.
        lines: tokens of each distinct line.
        cells: int64 [rows, columns], which of the lines each cell is.
    """

    def __init__(self, table: Table) -> None:
        self._numbers: dict[str, int] = {}
        self.instruction = self._encode(pieces(INSTRUCTION))
        self.lines: list[bytes] = []
        self.cells = np.empty((len(table.rows), len(table.columns)), dtype=np.int64)
        for column, (name, values) in enumerate(zip(table.columns, zip(*table.rows, strict=True), strict=True)):
            places = {value: len(self.lines) + index for index, value in enumerate(dict.fromkeys(values))}
            self.lines += [self._encode([*pieces(line(name, value)), "\n"]) for value in places]
            self.cells[:, column] = [places[value] for value in values]

    @property
    def instruction_tokens(self) -> int:
        return len(self.instruction) // TOKEN_BYTES

    @cached_property
    def tokens(self) -> Ints:
        """[rows, columns]. Tokens of each cell's line."""
        lengths = np.array([len(line) // TOKEN_BYTES for line in self.lines], dtype=np.int64)
        return np.asarray(lengths[self.cells])

    def ordered(self, order: Order) -> list[bytes]:
        """Each prompt's tokens, in the order sent."""
        placed = np.take_along_axis(self.cells[order.rows], order.fields, axis=1)
        lines = self.lines
        return [self.instruction + b"".join([lines[cell] for cell in row]) for row in placed.tolist()]

    def _encode(self, texts: list[str]) -> bytes:
        numbers = self._numbers
        return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype="<u4").tobytes()
