"""Which rows of a trace become requests, and how fast they arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

from adrs.errors import InputError
from evaluators.serving.request import Request
from evaluators.serving.traffic.loaders.reading import Row

DISORDER = 3600.0  # seconds by which rows may be out of order in a file
_MOST = 1e15  # of any number
_FORGOTTEN: dict[str, str] = {}


@dataclass(frozen=True)
class Selection:
    """A window of a trace.

    Args:
        start: Seconds after the first row of the file.
        seconds: Length of the window in the file's time.
        count: At most so many requests, the earliest.
        speed: Factor on the rate of arrivals.
        rate: Requests a second to which they are scaled, in place of `speed`.
        only: Column and value that rows must have, such as {"Log Type": "API log"}.
    """

    start: float = 0.0
    seconds: float = inf
    count: int | None = None
    speed: float = 1.0
    rate: float | None = None
    only: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_options(cls, given: Mapping[str, Any], where: str) -> Selection:
        """Check options of those names. Raises InputError; `where` is how the message names them."""
        unknown = sorted(set(given) - set(cls.__dataclass_fields__))
        if unknown:
            raise InputError(f"{where}.{unknown[0]}: unknown; expected {', '.join(cls.__dataclass_fields__)}")
        if "speed" in given and "rate" in given:
            raise InputError(f"{where}: expected speed or rate, got both; leave one out")
        for name in ("start", "seconds", "speed", "rate"):
            if name in given:
                _check_number(f"{where}.{name}", given[name], positive=name != "start")
        count = given.get("count", 1)
        if type(count) is not int or count < 1:
            raise InputError(f"{where}.count: expected a whole number from 1, got {count!r}")
        only = given.get("only", {})
        if not isinstance(only, Mapping) or not all(isinstance(part, str) for part in chain(*only.items())):
            raise InputError(f"{where}.only: expected columns and their values as text, got {only!r}")
        return cls(**given)

    def requests(self, path: Path, rows: Iterator[Row]) -> list[Request]:
        """The requests in the order of arrival, the window beginning at 0; failed calls (0 tokens) are left out.

        Raises:
            InputError: nothing is left.
        """
        begin, inside = self._within(rows)
        kept = sorted(inside, key=lambda row: row.time)[: self.count]
        if not kept:
            raise InputError(f"{path}: no requests in the window; choose another start, seconds or only")
        return list(_numbered(kept, min(begin, kept[0].time), self._speed_of(path, kept)))

    def _within(self, rows: Iterator[Row]) -> tuple[float, list[Row]]:
        """Where the window begins, and its rows in the order of the file."""
        first = next(rows, None)
        if first is None:
            return 0.0, []
        begin = first.time + self.start
        low, high = begin if self.start else -inf, begin + self.seconds
        kept = []
        for row in chain((first,), rows):
            if row.time >= high + DISORDER:
                break
            if low <= row.time < high and row.prompt_tokens and row.output_tokens and self._wanted(row):
                kept.append(replace(row, fields=_FORGOTTEN))  # they are most of a row
        return begin, kept

    def _wanted(self, row: Row) -> bool:
        return all(row.fields.get(column) == value for column, value in self.only.items())

    def _speed_of(self, path: Path, kept: list[Row]) -> float:
        if self.rate is None:
            return self.speed
        span = kept[-1].time - kept[0].time
        if span <= 0.0:
            raise InputError(f"{path}: all requests of the window arrive at once; no speed gives them a rate")
        return self.rate * span / (len(kept) - 1)


def _numbered(kept: list[Row], begin: float, speed: float) -> Iterator[Request]:
    sessions: dict[str, int] = {}
    turns: Counter[int] = Counter()
    for id, row in enumerate(kept):
        session = sessions.setdefault(row.session, len(sessions)) if row.session else -1
        turn = turns[session] if row.session else 0
        turns[session] += 1
        arrival = (row.time - begin) / speed
        yield Request(id, arrival, row.prompt_tokens, row.output_tokens, row.prefix, session, turn)


def _check_number(where: str, value: object, positive: bool) -> None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _MOST
    if not fits or not (value > 0 if positive else value >= 0):  # type: ignore[operator]  # a number by now
        expected = "a number above 0" if positive else "a number of 0 or more"
        raise InputError(f"{where}: expected {expected}, got {repr(value)[:40]}")
