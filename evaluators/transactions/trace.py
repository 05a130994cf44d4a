"""A user's own trace of transactions in place of the generated ones.

Options (`--set options.trace=...` or `options: {trace: {...}}` in the problem):

    file    JSON lines, one transaction a line in order of arrival:
            {"kind": "payment", "ops": [["w", "warehouse:7"], ["r", 12], ...]}
    batch   transactions that are scheduled together (default 100)

An operation reads ("r") or writes ("w") a key, a text or an integer; `kind` may be left out, other fields are ignored.
The trace is cut into batches. The first 60 % of it are for training, the next 20 % for validation, the last 20 % are
reserved for test; of each part at most `MOST_BATCHES` are used, evenly spaced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adrs.errors import InputError
from adrs.evaluation.protocol import Split, Workload
from evaluators.transactions.transaction import Transaction

PARTS: dict[Split, tuple[int, int]] = {"train": (0, 60), "validation": (60, 80), "test": (80, 100)}  # per cent
MOST_BATCHES: dict[Split, int] = {"train": 12, "validation": 24, "test": 48}
LEAST_BATCHES: dict[Split, int] = {"train": 1, "validation": 1, "test": 24}  # clusters that `verify` asks for
SMALLEST_BATCH = 2
EXPECTED = '{"kind": "payment", "ops": [["r", "key"], ["w", "key"]]}'

Operation = tuple[str | int, bool]  # key, and whether it is written


@dataclass(frozen=True)
class Recorded:
    """One line of the trace."""

    kind: str
    operations: tuple[Operation, ...]


class Trace:
    """A recorded trace cut into batches."""

    def __init__(self, file: str, recorded: Sequence[Recorded], size: int) -> None:
        self._file = file
        self._recorded = recorded
        self._size = size
        self._digest = hashlib.sha256(repr(recorded).encode()).hexdigest()[:16]  # another file is another workload
        self._check()

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Trace:
        """Check the options and read the file. Raises InputError for either."""
        if not isinstance(given, Mapping):
            raise InputError(f"options.trace: expected {{file: ..., batch: ...}}, got {given!r}")
        for name in given:
            if name not in ("file", "batch"):
                raise InputError(f"options.trace: unknown key {name!r}; expected file, batch")
        file, size = given.get("file"), given.get("batch", 100)
        if not isinstance(file, str):
            raise InputError(f"options.trace.file: expected the path of a file of JSON lines, got {file!r}")
        if type(size) is not int or size < SMALLEST_BATCH:
            raise InputError(f"options.trace.batch: expected an integer of at least {SMALLEST_BATCH}, got {size!r}")
        return cls(file, read_trace(file), size)

    def workloads(self, split: Split) -> Sequence[Workload]:
        """The batches of a split in order of time. The salt changes nothing: a recorded trace is finite."""
        starts = self._starts(split)
        used = min(len(starts), MOST_BATCHES[split])
        chosen = [starts[index * len(starts) // used] for index in range(used)]
        return [
            Workload(
                f"trace-{start}",
                "trace",
                f"trace-{start}",
                {"digest": self._digest, "start": start, "count": self._size},
            )
            for start in chosen
        ]

    def batch(self, parameters: Mapping[str, Any]) -> list[Transaction]:
        """The batch that a workload names, its keys numbered by first use."""
        start = parameters["start"]
        numbers: dict[str | int, int] = {}
        return [
            Transaction(
                one.kind,
                tuple(numbers.setdefault(key, len(numbers)) for key, _ in one.operations),
                tuple(writes for _, writes in one.operations),
            )
            for one in self._recorded[start : start + parameters["count"]]
        ]

    def _starts(self, split: Split) -> range:
        """Where the split's batches begin; what is left over at its end is not used."""
        begin, end = (len(self._recorded) * part // 100 for part in PARTS[split])
        return range(begin, end - self._size + 1, self._size)

    def _check(self) -> None:
        needed = max(
            -(-least * self._size * 100 // (end - begin)) + 1
            for (begin, end), least in ((PARTS[split], LEAST_BATCHES[split]) for split in PARTS)
        )
        for split, (begin, end) in PARTS.items():
            batches, least = len(self._starts(split)), LEAST_BATCHES[split]
            if batches < least:
                raise InputError(
                    f"{self._file}: the {end - begin} % of {len(self._recorded)} transactions for {split} hold "
                    f"{batches} batches of {self._size}; at least {least} needed: record about {needed} transactions "
                    "or lower options.trace.batch"
                )


def read_trace(file: str) -> list[Recorded]:
    """The transactions of a file of JSON lines; empty lines are skipped.

    Raises:
        InputError: unreadable, or a line that is no transaction.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{file}: cannot read the trace: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: the trace is not UTF-8 text; expected JSON lines") from None
    except ValueError as error:  # a name that no file can have
        raise InputError(f"options.trace.file: {file!r}: {error}") from None
    lines = enumerate(text.split("\n"), start=1)
    return [_recorded(f"{file}:{number}", line) for number, line in lines if line.strip()]


def _recorded(where: str, line: str) -> Recorded:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):  # an integer of thousands of digits is a bare ValueError
        raise InputError(f"{where}: not JSON; expected one transaction a line, like {EXPECTED}") from None
    if not isinstance(data, dict) or not isinstance(data.get("ops"), list) or not data["ops"]:
        raise InputError(f"{where}: expected an object with a list 'ops' of at least one operation, like {EXPECTED}")
    kind = data.get("kind", "transaction")
    if not isinstance(kind, str) or any("\ud800" <= letter <= "\udfff" for letter in kind):  # halves of a character
        raise InputError(f"{where}: kind: expected a text, got {_short(kind)}")
    operations = (_operation(f"{where}: ops[{index}]", one) for index, one in enumerate(data["ops"]))
    return Recorded(kind, tuple(operations))


def _operation(where: str, data: Any) -> Operation:
    match data:
        case ["r" | "w" as what, str() | int() as key] if not isinstance(key, bool):
            return key, what == "w"
        case _:
            raise InputError(
                f'{where}: expected ["r", key] or ["w", key], the key a text or an integer, got {_short(data)}'
            )


def _short(data: Any) -> str:
    text = json.dumps(data)
    return text if len(text) <= 60 else text[:57] + "..."
