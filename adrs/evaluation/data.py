"""Files that options name: a path, or a public data set in the cache of `adrs data`."""

from __future__ import annotations

from pathlib import Path

from adrs.errors import InputError

PREFIX = "data:"


def data_file(reference: str) -> Path:
    """The file of `data:NAME`, with a name of `adrs data`, or else the path as it is. Never downloads.

    Raises:
        InputError: no such name, it has not been downloaded yet, or no path.
    """
    if not reference.startswith(PREFIX):
        try:
            path = Path(reference).expanduser()
        except RuntimeError:
            raise InputError(f"{reference[:40]!r}: there is no such user; expected a path") from None
        if not reference or "\0" in reference:
            raise InputError(f"{reference[:40]!r}: expected the path of a file")
        return path
    from adrs.public_data import find, present

    return present(find(reference.removeprefix(PREFIX))).path
