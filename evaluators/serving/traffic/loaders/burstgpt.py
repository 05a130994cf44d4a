"""The BurstGPT traces: `Timestamp` (seconds), `Request tokens`, `Response tokens`, and in newer ones `Session ID`.

Calls without a response token failed. `Model`, `Log Type` and `Elapsed time` serve selections only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluators.serving.traffic.loaders import table
from evaluators.serving.traffic.loaders.reading import Row

TIME, PROMPT, ANSWER = COLUMNS = ("Timestamp", "Request tokens", "Response tokens")
SESSION = "Session ID"


def rows(path: Path) -> Iterator[Row]:
    """Raises InputError for anything that is not such a file."""
    for line, fields in table.rows(path, COLUMNS):
        prompt, answer = line.tokens(PROMPT, fields[PROMPT]), line.tokens(ANSWER, fields[ANSWER])
        session = fields.get(SESSION, "").strip()
        yield Row(line.seconds(TIME, fields[TIME]), prompt, answer, fields, session=session)
