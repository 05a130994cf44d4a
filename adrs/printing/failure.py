"""The one line for an exception that no verb expected, and its exit code."""

from __future__ import annotations

import errno
import os
import sqlite3
import traceback

DEBUG = "ADRS_DEBUG"
_OF_THE_INPUT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP,
                 errno.EEXIST, errno.EROFS}  # fmt: skip


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and message. The traceback is printed where the environment sets ADRS_DEBUG."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    match error:
        case OSError(errno=int(number), filename=str(file), strerror=str(reason)):
            return 2 if number in _OF_THE_INPUT else 1, f"{file}: {reason}"
        case OSError(strerror=str(reason)):
            return 1, f"cannot read or write: {reason}"
        case sqlite3.OperationalError():
            return 1, f"the archive cannot be written: {error}"
        case sqlite3.DatabaseError():
            return 2, f"the archive is damaged: {error}"
        case _:
            return 1, f"internal error: {type(error).__name__}: {error} ({DEBUG}=1 prints where)"
