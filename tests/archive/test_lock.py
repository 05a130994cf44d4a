"""One committer at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from adrs.archive import lock
from adrs.archive.lock import RunLock, holder
from adrs.errors import InputError


def test_the_holder_is_named_and_a_second_one_refused(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(InputError, match=f"process {os.getpid()} is at work"), RunLock(tmp_path):
            pass
    assert holder(tmp_path) is None


def test_one_who_only_looks_does_not_keep_a_committer_out(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        pass
    looking = os.open(tmp_path / "run.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.05, os.close, [looking]).start()
    with RunLock(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_patience_with_a_nameless_holder_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 2)
    with RunLock(tmp_path):
        (tmp_path / "run.lock").write_text("")
        with pytest.raises(InputError, match="another process is at work"), RunLock(tmp_path):
            pass
