"""Runs on disk: a directory each, with the archive inside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adrs.archive.reader import ArchiveReader
from adrs.errors import InputError

ARCHIVE = "archive.sqlite"
RUNS = Path("runs")


def archive_file(path: Path) -> Path:
    """The archive in a run's directory, or the file itself. Raises InputError when there is none."""
    file = path / ARCHIVE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path}: no archive there; expected a run's directory or its {ARCHIVE}")
    return file


def list_runs(root: Path = RUNS) -> list[Path]:
    """Directories of runs under `root`, the one last written to first."""
    archives = [path for path in root.glob(f"*/{ARCHIVE}") if path.is_file()]
    return [path.parent for path in sorted(archives, key=_last_written, reverse=True)]


def find_run(run: Path | None) -> Path:
    """The directory of the run named (by directory or archive), or the one under runs/ last written to.

    Raises:
        InputError: there is none.
    """
    if run is not None:
        return archive_file(run).parent
    runs = list_runs()
    if not runs:
        raise InputError(f"{RUNS}/: no run there; `adrs evolve PROBLEM` makes one, -r names one elsewhere")
    return runs[0]


def open_archive(run: str | Path) -> ArchiveReader:
    """The archive of a run, by its directory or its file, for reading; `to_pandas()` gives its data frames.

    Raises:
        InputError: there is none.
    """
    return ArchiveReader.read(archive_file(Path(run)))


@contextmanager
def open_run(run: Path | None) -> Iterator[tuple[Path, ArchiveReader]]:
    """Directory and archive of a run found by `find_run`, closed at the end.

    Raises:
        InputError: there is none, or its archive is damaged, which may show only inside of the `with` block.
    """
    directory = find_run(run)
    try:
        archive = ArchiveReader.read(directory / ARCHIVE)
        try:
            yield directory, archive
        finally:
            archive.close()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{directory / ARCHIVE}: the archive cannot be read: {error}") from None


def _last_written(archive: Path) -> int:
    return archive.stat().st_ctime_ns
