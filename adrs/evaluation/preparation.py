"""Workloads prepared once a machine: job slots and later commands read from disk what one of them has computed.

joblib's `Memory` does the work: results lie under a hash of the function's arguments, appear whole or not at all, and
may be written by many processes. Only trusted processes see the cache; a jailed policy has no disk.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from joblib import Memory

KEEP = 200  # results of one domain; the least recently used go first


def remembered(domain: str) -> Memory:
    """A memory under `$XDG_CACHE_HOME/adrs/DOMAIN` (by default `~/.cache`); one that forgets where none can be written.

    Decorate a top-level function with `.cache`. Only its own text and its arguments tell its results apart: let one
    argument be `code_digest` of all that it calls.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = home if home.is_absolute() else Path("~/.cache").expanduser()
        folder = base / "adrs" / domain
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a user without a home
        return Memory(None)
    if not os.access(folder, os.W_OK):
        return Memory(None)
    memory = Memory(folder, verbose=0)
    memory.reduce_size(items_limit=KEEP)
    return memory


def code_digest(package: Path) -> str:
    """16 hex digits over the Python files of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
