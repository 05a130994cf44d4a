"""The jail's layers, each tried alone, and what is refused when one is missing."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from adrs.doctor import diagnose
from adrs.errors import HouseError
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.interface import Interface
from adrs.evaluation.local import evaluate
from adrs.sandbox import jail, kernel, probe, seccomp
from adrs.sandbox.launcher import ForkServer

MACHINE = EvaluatorSpec(f"{Path(__file__).with_name('machine.py')}:Machine")
HARMLESS = ("adrs", "adrs.evaluation", "adrs.sandbox")
INTERFACE = Interface.from_text("def answer() -> int: ...\n")


@pytest.mark.parametrize("layer", ["landlock", "seccomp", "memory"])
def test_each_layer_blocks_by_itself(layer: str) -> None:
    done = subprocess.run([sys.executable, "-m", probe.__name__, layer], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_policy_process_names_its_layers() -> None:
    server = ForkServer(INTERFACE, "auto")
    try:
        process, layers = server.spawn(1, 64)
        process.end()
    finally:
        server.close()
    assert f"landlock-{kernel.landlock_abi()}" in layers.split("+")
    assert layers.endswith("seccomp")


def test_no_landlock_means_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "landlock_abi", lambda: 0)
    with pytest.raises(jail.JailError, match="Landlock"):
        jail.lock("auto")


def test_a_refusal_stops_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fork-server that believes to be on a machine for which there is no filter."""
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'pdp11'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = ForkServer(INTERFACE, "auto")
    try:
        with pytest.raises(HouseError, match="no system call table for pdp11") as caught:
            server.spawn(1, 64)
    finally:
        server.close()
    assert caught.value.status == "sandbox_unavailable"


def test_interfaces_that_import_what_is_not_installed_are_the_houses_fault() -> None:
    with pytest.raises(HouseError, match="no_such_package") as caught:
        ForkServer(dataclasses.replace(INTERFACE, imports=("no_such_package",)), "auto")
    assert caught.value.status == "evaluator_error"


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_filters_are_well_formed(machine: str) -> None:
    """Every jump lands inside the program, and both architectures allow the same calls as far as both have them."""
    program = seccomp.program(machine, 1234)
    instructions = [program[position : position + 8] for position in range(0, len(program), 8)]
    for index, instruction in enumerate(instructions):
        if instruction[0] == 0x15:
            assert index + 1 + max(instruction[2], instruction[3]) < len(instructions)
    first, second = (set(seccomp.ARCHITECTURES[name].allowed) for name in ("x86_64", "aarch64"))
    assert first - second == {"time"}
    assert second <= first


def test_doctor_finds_every_layer_and_shows_no_key() -> None:
    checks = {
        check.name: check
        for check in diagnose({"OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": "http://u:p@host/v1"})
    }
    assert [name for name, check in checks.items() if check.status == "fail"] == []
    assert {"landlock", "seccomp", "uid", "policy process", "policy cannot read a file", "cores", "sqlite"} <= set(
        checks
    )
    assert checks["llm"].detail == "OPENAI_API_KEY is set at http://host: the proposer openai can be used"


def test_the_fork_server_holds_nothing_of_the_house() -> None:
    """Its children inherit its memory: only the wall's own modules and the interface may be in it."""
    source = """
import sys
def choose(queue, history):
    raise ValueError(*sorted(name for name in sys.modules if name.startswith(("adrs", "evaluators", "machine"))))
"""
    [(_, outcome), *_] = evaluate(MACHINE, source)
    names = outcome.error.partition("(")[2].partition(")")[0].replace("'", "").split(", ")
    allowed = ("adrs.sandbox.", "adrs.evaluation.interface", "adrs.errors")
    assert len(names) > 5
    assert [name for name in names if not name.startswith(allowed) and name not in HARMLESS] == []
    assert not {"adrs.sandbox.referee", "adrs.sandbox.launcher", "adrs.sandbox.policy"} & set(names)
