"""bubblewrap around the fork-server: namespaces of its own, an extra layer where it is installed and works."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

_PROBE_SECONDS = 10.0
_FLAGS = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
)


@cache
def prefix() -> tuple[str, ...]:
    """What to put before a command; empty unless bubblewrap is installed and a trial start succeeds.

    Root keeps its user namespace: in a new one it could not become nobody.
    """
    program = shutil.which("bwrap")
    if program is None:
        return ()
    command = (program, *_FLAGS, *(() if os.getuid() == 0 else ("--unshare-user",)), "--")
    try:
        trial = subprocess.run(
            (*command, "true"), stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if trial.returncode == 0 else ()
