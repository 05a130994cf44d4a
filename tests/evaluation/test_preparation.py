"""What was prepared once is read, not computed, by the next process; and nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adrs.evaluation.preparation import code_digest, remembered

SCRIPT = """
from evaluators.moe import ExpertPlacement
import evaluators.moe.evaluator as module

made = []
bound_throughput = module.bound_throughput
module.bound_throughput = lambda deployment: made.append(1) or bound_throughput(deployment)
evaluator = ExpertPlacement(models=["mixtral-8x7b"])
[workload] = evaluator.workloads("train", 0)
bound = evaluator.bound(workload)["tokens_per_second"]
print(len(made), bound)
"""


def prepared_in_a_process(home: Path) -> tuple[int, float]:
    """(how often a bound was computed, the bound)"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, text=True, capture_output=True, check=True)
    computed, bound = done.stdout.split()
    return int(computed), float(bound)


def test_the_second_process_reads_what_the_first_has_computed(tmp_path: Path) -> None:
    first, second = prepared_in_a_process(tmp_path), prepared_in_a_process(tmp_path)
    assert (first[0], second[0]) == (1, 0)
    assert first[1] == second[1]


def test_without_a_folder_to_write_everything_is_computed(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert prepared_in_a_process(blocked)[0] == 1
    assert prepared_in_a_process(blocked)[0] == 1


def test_other_code_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("RATE = 1\n")
    before = code_digest(tmp_path)
    (tmp_path / "model.py").write_text("RATE = 2\n")
    assert code_digest(tmp_path) != before


def test_old_results_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    memory = remembered("numbers")

    @memory.cache
    def square(number: int) -> int:
        return number * number

    assert [square(n) for n in range(5)] == [0, 1, 4, 9, 16]
    monkeypatch.setattr("adrs.evaluation.preparation.KEEP", 2)
    remembered("numbers")
    assert len(list(tmp_path.rglob("output.pkl"))) <= 2
