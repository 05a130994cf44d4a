"""The Mooncake traces: JSON lines of `timestamp` (ms), `input_length`, `output_length` and `hash_ids`.

A hash id names a block of 512 tokens and all the text before it. So each block is a stream, told apart by its id and
the stream before it; the last one may be a part of a block. Tokens that no id covers are shared with nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluators.serving.request import Segment
from evaluators.serving.traffic.loaders.reading import Line, Row, opened

BLOCK = 512  # tokens
TIME, PROMPT, ANSWER, HASHES = "timestamp", "input_length", "output_length", "hash_ids"


def rows(path: Path) -> Iterator[Row]:
    """Raises InputError for anything that is not such a file."""
    streams = _Streams()
    with opened(path) as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                line = Line(path, number)
                yield _row(line, _parsed(line, text), streams)


def _row(line: Line, fields: dict[str, Any], streams: _Streams) -> Row:
    for name in (TIME, PROMPT, ANSWER):
        if name not in fields:
            line.fail(f"{name} is missing; expected {TIME}, {PROMPT}, {ANSWER} and {HASHES}")
    prompt = line.tokens(PROMPT, fields[PROMPT])
    hashes = _hashes(line, fields.get(HASHES, []), prompt)
    named = {name: str(value) for name, value in fields.items() if isinstance(value, (str, int))}
    return Row(
        line.seconds(TIME, fields[TIME]) / 1000.0, prompt, line.tokens(ANSWER, fields[ANSWER]), named,
        streams.of(hashes, prompt),
    )  # fmt: skip


def _parsed(line: Line, text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        line.fail(f"not JSON ({str(error)[:60]}); expected one object a line")
    if not isinstance(fields, dict):
        line.fail('expected an object such as {"timestamp": 0, "input_length": 6758, ...}')
    return fields


def _hashes(line: Line, hashes: object, prompt: int) -> list[int]:
    if not isinstance(hashes, list) or not all(type(one) is int for one in hashes):
        line.fail(f"{HASHES}: expected a list of whole numbers")
    most = -(-prompt // BLOCK)
    if len(hashes) > most:
        line.fail(f"{HASHES}: {len(hashes)} blocks; {prompt} tokens have at most {most} of {BLOCK}")
    return hashes


class _Streams:
    """Keys of streams."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], int] = {}
        self._count = 0

    def of(self, hashes: list[int], prompt: int) -> tuple[Segment, ...]:
        """The prompt as streams; empty where nothing is shared."""
        segments = []
        key, left = -1, prompt
        for one in hashes:
            key = self._keys.setdefault((key, one), self._count)
            self._count += key == self._count
            segments.append(Segment(key, min(BLOCK, left)))
            left -= segments[-1].tokens
        if hashes and left:
            segments.append(Segment(self._count, left))
            self._count += 1
        return tuple(segments)
