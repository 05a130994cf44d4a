"""Standard streams that are closed, broken, or of a narrow encoding."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def repair_streams() -> None:
    """A closed stream swallows what is written; what an encoding lacks is written as escapes."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (open for as long as the process lives)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """After a broken pipe: what is still buffered goes nowhere, or the interpreter would complain at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
