"""Files that options name: a path, or a public data set in the cache of `adrs data`."""

from __future__ import annotations

from pathlib import Path

PREFIX = "data:"


def data_file(reference: str) -> Path:
    """The file of `data:NAME`, with a name of `adrs data`, or else the path as it is. Never downloads.

    Raises:
        InputError: no such name, or it has not been downloaded yet.
    """
    if not reference.startswith(PREFIX):
        return Path(reference).expanduser()
    from adrs.public_data import find, present

    return present(find(reference.removeprefix(PREFIX))).path
