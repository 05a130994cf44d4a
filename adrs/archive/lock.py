"""One committer at a time: an flock on `run.lock`, released by the kernel however the process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from adrs.errors import InputError

LOCK = "run.lock"
PATIENCE = 100  # attempts at a lock that nobody seems to hold, 10 ms apart


class RunLock:
    """Context manager. The file holds the process id of the committer, for `adrs stop`.

    Raises:
        InputError: another process holds the lock.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._descriptor = -1

    def __enter__(self) -> RunLock:
        self._descriptor = os.open(self.run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for _ in range(PATIENCE):
            if _locked(self._descriptor):
                break
            if holder(self.run) is not None:
                raise self._refused()
            time.sleep(0.01)  # somebody else has only looked who holds it, or takes it at this moment
        else:
            raise self._refused()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return self

    def _refused(self) -> InputError:
        os.close(self._descriptor)
        process = holder(self.run)
        who = "another process" if process is None else f"process {process}"
        return InputError(f"{self.run}: {who} is at work on this run; stop it first")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(run: Path) -> int | None:
    """The process at work on a run, or None."""
    try:
        descriptor = os.open(run / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
