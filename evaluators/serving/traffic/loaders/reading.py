"""Lines of a text file, plain or gzip, and checked numbers of its fields."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from io import TextIOWrapper
from math import inf, isfinite
from pathlib import Path
from typing import BinaryIO, NoReturn, TextIO

from adrs.errors import InputError
from evaluators.serving.request import Segment

MOST_TOKENS = 10_000_000  # of a prompt or an answer: more is a mistake
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded call; `time` in seconds from any origin, `session` as the file names it.

    `fields` are the columns by name, for a selection by value.
    """

    time: float
    prompt_tokens: int
    output_tokens: int
    fields: dict[str, str]
    prefix: tuple[Segment, ...] = ()
    session: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a value stands."""

    path: Path
    number: int

    def fail(self, message: str) -> NoReturn:
        """Raise the InputError."""
        raise InputError(f"{self.path}:{self.number}: {message}")

    def tokens(self, field: str, value: object) -> int:
        """A whole number of tokens, 0 for a call that failed."""
        number = _number(value)
        if not number.is_integer() or not 0 <= number <= MOST_TOKENS:
            self.fail(f"{field}: expected a whole number of tokens from 0 to {MOST_TOKENS:,}, got {_short(value)}")
        return int(number)

    def seconds(self, field: str, value: object) -> float:
        """A finite number."""
        number = _number(value)
        if not isfinite(number):
            self.fail(f"{field}: expected a number, got {_short(value)}")
        return number


def _number(value: object) -> float:
    """Infinity for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return inf
    try:
        return float(value)
    except (ValueError, OverflowError):
        return inf


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _plain(file: BinaryIO, compressed: bool) -> AbstractContextManager[BinaryIO]:
    return GzipFile(fileobj=file) if compressed else nullcontext(file)  # type: ignore[return-value]  # it reads bytes


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The file's text. Raises InputError where it cannot be read, is damaged or is not UTF-8."""
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
        with path.open("rb") as file, _plain(file, compressed) as plain:
            yield TextIOWrapper(plain, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError:
        raise InputError(f"{path}: the trace is not UTF-8 text; expected CSV or JSON lines, plain or gzip") from None
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error}); fetch it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot read the trace: {error.strerror or error}") from None
