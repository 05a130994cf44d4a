"""Downloads into the cache: whole and with the right digest, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adrs.errors import AdrsError
from adrs.public_data.registry import DataSet
from adrs.public_data.store import OWN, Copy, cached, locate

TIMEOUT = 30.0  # seconds without a byte
RECORD = "sha256"  # the file in which the digest of the first download is kept
LOCK = ".lock"


def get(entry: DataSet) -> Copy:
    """The user's own copy, taken as it is, or else a download. Raises as `download` and `store.locate` do."""
    copy = locate(entry)
    return copy if copy is not None and copy.source == OWN else Copy(entry, download(entry), "cache")


def download(entry: DataSet) -> Path:
    """The cached file, downloaded unless it is there and has the right digest.

    One process at a time; others wait for it. A download that fails or is killed leaves no file under the name.

    Raises:
        AdrsError: nobody answers, the answer is no file, or the file has another digest.
        OSError: the cache cannot be written.
    """
    path = cached(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        for left in path.parent.glob("tmp*"):  # by a process that was killed
            left.unlink()
        record = path.parent / RECORD
        expected = entry.sha256 or _recorded(record)
        if path.exists() and expected not in (None, digest(path)):
            path.unlink()
        if not path.exists():
            _fetch(entry, path, expected)
        if expected is None:
            record.write_text(f"{digest(path)}\n")
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recorded(record: Path) -> str | None:
    """None also for a record whose writer was killed."""
    return (record.read_text().strip() if record.exists() else "") or None


def _fetch(entry: DataSet, path: Path, expected: str | None) -> None:
    import pooch  # type: ignore[import-untyped]
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    known = None if expected is None else f"sha256:{expected}"
    try:
        pooch.retrieve(entry.url, known, path.name, path.parent, downloader=pooch.HTTPDownloader(timeout=TIMEOUT))
    except requests.HTTPError as error:
        status = "an HTTP error" if error.response is None else f"HTTP {error.response.status_code}"
        raise AdrsError(f"{entry.url}: {status}; {_by_hand(entry)}") from None
    except requests.RequestException as error:
        raise AdrsError(f"{entry.url}: cannot be downloaded ({_reason(error)}); {_by_hand(entry)}") from None
    except ValueError:
        first = "" if entry.sha256 else f", recorded at the first download in {path.parent / RECORD}"
        raise AdrsError(f"{entry.url}: not the SHA-256 {expected}{first}; nothing was kept, try again later") from None


def _by_hand(entry: DataSet) -> str:
    return f"try again, or put {entry.file} into a folder yourself and name that in {OWN}"


def _reason(error: BaseException) -> str:
    """The innermost one: libraries wrap it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
