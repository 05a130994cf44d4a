"""What public data sets there are: `registry.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adrs.errors import InputError

REGISTRY = Path(__file__).with_name("registry.toml")


@dataclass(frozen=True)
class DataSet:
    """One file that can be downloaded.

    Args:
        sha256: None where no digest is known: then that of the first download counts.
        bytes: None where the size is not known.
    """

    name: str
    what: str
    url: str
    licence: str
    sha256: str | None = None
    bytes: int | None = None

    @property
    def file(self) -> str:
        """Its name without a folder."""
        return self.url.rpartition("/")[2]


@cache
def registered() -> tuple[DataSet, ...]:
    """All data sets in the order of the registry."""
    entries = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return tuple(DataSet(name, **entry) for name, entry in entries.items())


def find(name: str) -> DataSet:
    """The data set of a name. Raises InputError, with the closest name, when there is none."""
    known = {entry.name: entry for entry in registered()}
    if name not in known:
        from adrs.yaml_tree import suggest

        raise InputError(
            f"{name or 'an empty name'}: no such data set; {suggest(name, known)} (`adrs data` lists them)"
        )
    return known[name]
