"""Where copies of public data lie: a folder of the user's own, named by ADRS_DATA, or else the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adrs.errors import InputError
from adrs.public_data.registry import DataSet, registered

OWN = "ADRS_DATA"


@dataclass(frozen=True)
class Copy:
    """A file that is there."""

    entry: DataSet
    path: Path
    source: Literal["cache", "ADRS_DATA"]

    def json(self) -> dict[str, Any]:
        """As a document."""
        return {"schema": 1, "name": self.entry.name, "path": str(self.path), "source": self.source}


@dataclass(frozen=True)
class Inventory:
    """All data sets, with the copies that are there."""

    cache: Path
    lines: tuple[tuple[DataSet, Copy | None], ...]

    def json(self) -> dict[str, Any]:
        """As a document."""
        copies = {"schema": 1, "cache": str(self.cache)}
        return copies | {"data": [vars(entry) | _where(copy) for entry, copy in self.lines]}


def _where(copy: Copy | None) -> dict[str, str | None]:
    return {"path": None, "source": None} if copy is None else {"path": str(copy.path), "source": copy.source}


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/adrs/data; each data set has a folder there."""
    given = os.environ.get("XDG_CACHE_HOME", "")  # relative ones are to be ignored, says its specification
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".cache") / "adrs" / "data"


def cached(entry: DataSet) -> Path:
    """Where the cache keeps it, once it is there."""
    return cache_folder() / entry.name / entry.file


def inventory() -> Inventory:
    """What there is, and what of it is here. Raises InputError where ADRS_DATA names no folder."""
    return Inventory(cache_folder(), tuple((entry, locate(entry)) for entry in registered()))


def present(entry: DataSet) -> Copy:
    """The copy of a data set.

    Raises:
        InputError: there is none, or ADRS_DATA names no folder.
    """
    copy = locate(entry)
    if copy is None:
        raise InputError(f"{entry.name}: not downloaded; `adrs data get {entry.name}` fetches it")
    return copy


def locate(entry: DataSet) -> Copy | None:
    """The user's own copy (the file under its name, or gzipped with `.gz`), else the downloaded one, else None.

    Raises:
        InputError: ADRS_DATA names no folder.
    """
    for path in _own(entry):
        if path.is_file():
            return Copy(entry, path, "ADRS_DATA")
    path = cached(entry)
    return Copy(entry, path, "cache") if path.is_file() else None


def _own(entry: DataSet) -> tuple[Path, ...]:
    given = os.environ.get(OWN)
    if not given:
        return ()
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(f"{OWN}={given}: no such folder; name the one with your copies, or unset it")
    return folder / entry.file, folder / f"{entry.file}.gz"
