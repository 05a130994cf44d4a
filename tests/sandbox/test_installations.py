"""The same attacks on the disk, however ADRS is installed: simulators and baselines lie near a policy's libraries."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
PARTS = ("adrs", "evaluators", "problems", "seeds", "typer_cli.py", "pyproject.toml", "README.md")
ATTACKS = ("read_evaluator_from_disk", "read_with_numpy", "import_evaluator", "list_directories", "read_own_proc")
RUN = """
import json, sys
from pathlib import Path
import adrs
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import evaluate
from adrs.evaluation.outcome import Limits

folder, sandbox, *names = sys.argv[1:]
found = {"adrs": adrs.__file__}
for name in names:
    source = (Path(folder) / "attacks" / f"{name}.py").read_text()
    outcomes = evaluate(EvaluatorSpec(f"{folder}/machine.py:Machine"), source, "train", Limits(), sandbox)
    found[name] = [outcomes[0][1].status, outcomes[0][1].error]
print(json.dumps(found))
"""


def install(kind: str, folder: Path) -> Path:
    """Copies the project and installs it into an environment of its own; returns its interpreter."""
    checkout = folder / "checkout"
    for part in PARTS:
        source = CHECKOUT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        checkout.mkdir(exist_ok=True)
        copy(source, checkout / part)
    environment = (checkout / ".venv") if kind == "venv in checkout" else folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    what = ["-e", str(checkout)] if kind == "editable" else [str(checkout)]
    subprocess.run([sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", *what], check=True)
    [libraries] = environment.glob("lib/python*/site-packages")
    (libraries / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


def run_attacks(python: Path, folder: Path, sandbox: str) -> dict[str, list[str]]:
    shutil.copytree(HERE / "attacks", folder / "attacks", dirs_exist_ok=True)
    for name in ("machine.py", "machine_interface.py"):
        shutil.copy2(HERE / name, folder / name)
    command = [python, "-P", "-c", RUN, folder, sandbox, *ATTACKS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "editable", "venv in checkout"])
def test_nothing_of_an_installation_can_be_read(kind: str, tmp_path: Path) -> None:
    python = install(kind, tmp_path)
    found = run_attacks(python, tmp_path, "auto")
    assert str(found.pop("adrs")).startswith(str(tmp_path))
    assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(ATTACKS, "denied")
    open_field = run_attacks(python, tmp_path, "none")
    assert open_field["read_evaluator_from_disk"][1].startswith("AssertionError: LEAK")  # the attack is a real one
