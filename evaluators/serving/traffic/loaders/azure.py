"""The Azure LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens`.

2023 writes `2023-11-16 18:15:46.6805900`, 2024 `2024-05-10 00:00:00.009930+00:00`; both are read, microseconds kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from evaluators.serving.traffic.loaders import table
from evaluators.serving.traffic.loaders.reading import Line, Row

TIME, PROMPT, ANSWER = COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def rows(path: Path) -> Iterator[Row]:
    """Raises InputError for anything that is not such a file."""
    for line, fields in table.rows(path, COLUMNS):
        prompt, answer = line.tokens(PROMPT, fields[PROMPT]), line.tokens(ANSWER, fields[ANSWER])
        yield Row(_seconds(line, fields[TIME]), prompt, answer, fields)


def _seconds(line: Line, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        line.fail(f"{TIME}: expected a date and time like 2023-11-16 18:15:46.68, got {text[:40]!r}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
