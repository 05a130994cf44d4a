"""What may not be loaded where it is not needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import ROOT, environment
from support.finished import finished_run

import adrs

HEAVY = {"pandas", "numpy", "openai", "libcst", "joblib", "sqlite_utils", "yaml", "msgspec", "httpx"}


def loaded(statements: str, cwd: Path) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running the statements."""
    code = (
        f"{statements}\nimport json, sys\nprint('\\n' + json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=cwd, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a run."""
    folder = tmp_path_factory.mktemp("imports")
    finished_run(folder / "runs" / "near", candidates=20)
    return folder


def test_importing_the_package_loads_nothing_of_it(folder: Path) -> None:
    modules = loaded("import adrs\nassert not [name for name in sys.modules if name.startswith('adrs.')]", folder)
    assert modules - loaded("", folder) - sys.stdlib_module_names == {"adrs"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["evolve", "--help"], ["--version"], ["status"], ["status", "--json"], ["top"], ["top", "--json"],
        ["runs"], ["show", "--json"], ["log"], ["diff"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_verbs_that_look_load_nothing_heavy(folder: Path, arguments: list[str]) -> None:
    modules = loaded(f"import typer_cli\nassert typer_cli.main({arguments!r}) == 0", folder)
    assert not modules & HEAVY


def test_json_needs_no_rich(folder: Path) -> None:
    assert "rich" not in loaded("import typer_cli\nassert typer_cli.main(['top', '--json']) == 0", folder)


def test_every_name_of_the_package_loads_and_no_other_does() -> None:
    assert dir(adrs) == sorted(adrs.__all__)
    for name in adrs.__all__:
        assert callable(getattr(adrs, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'evolv'"):
        adrs.evolv  # noqa: B018
