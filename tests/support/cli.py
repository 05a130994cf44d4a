"""The command: in a real child process, as a shell would run it, or in this one where that makes no difference."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import typer_cli

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of this process without what would choose a proposer or a width."""
    dropped = ("ADRS_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "COLUMNS", "FORCE_COLOR", "ADRS_DEBUG")
    return {name: value for name, value in os.environ.items() if name not in dropped} | dict(extra or {})


def adrs(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run `adrs` to its end."""
    command = [sys.executable, str(ROOT / "typer_cli.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=240)
    return Ended(done.returncode, done.stdout, done.stderr)


def adrs_here(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """The same in this process, which saves the half second that a start takes."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, environment(env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = typer_cli.main([str(argument) for argument in arguments])
    return Ended(code, out.getvalue(), err.getvalue())
