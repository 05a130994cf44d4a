"""Hostile answers behind the real wall: none scores, and those that end as `ok` have the score that they deserve."""

from __future__ import annotations

from pathlib import Path

import pytest
from placement_cases import ROOT
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.outcome import Evaluation
from adrs.problem_file import load_problem

ATTACKS = load_attacks(Path(__file__).parent / "attacks")


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(load_problem(ROOT / "problems" / "model_placement.yaml"), ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_comes_to_its_end(ends: dict[str, Evaluation], name: str) -> None:
    end = ends[name]
    assert end.status in expected_ends(ATTACKS[name]), end.error
    assert (end.status == "ok") == bool(end.metrics)


def test_scribbling_over_the_inputs_changes_nothing(ends: dict[str, Evaluation]) -> None:
    assert dict(ends["scribble"].metrics)["gap_closed"] == 0.0


@pytest.mark.parametrize("name", ["park_the_busy_model", "oscillate"])
def test_what_loads_all_the_time_presses_more(ends: dict[str, Evaluation], name: str) -> None:
    metrics = dict(ends[name].metrics)
    assert metrics["gap_closed"] < 0.0
    assert metrics["moved_models"] >= 0.9
