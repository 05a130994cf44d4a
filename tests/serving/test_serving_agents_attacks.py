"""Hostile answers behind the real wall: those that break a rule end, the others gain nothing by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.outcome import Evaluation
from adrs.problem_file import load_problem

pytestmark = pytest.mark.slow  # half of them serve a whole workload

ATTACKS = load_attacks(Path(__file__).parent / "attacks" / "agent_serving")


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(load_problem("agent_serving"), ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_comes_to_its_end(ends: dict[str, Evaluation], name: str) -> None:
    end = ends[name]
    assert end.status in expected_ends(ATTACKS[name]), end.error
    assert (end.status == "ok") == bool(end.metrics)


def test_a_policy_learns_what_was_wrong(ends: dict[str, Evaluation]) -> None:
    assert "does not wait" in ends["unknown_id"].error
    assert "1 of 2 waiting turns are missing, turn" in ends["drop_ids"].error
    assert "is named more than once" in ends["double_ids"].error
    assert "pin_s of session 0 is nan; expected seconds, 0 or more" in ends["nan_pin"].error
    assert "expected one of lru, discard, swap" in ends["unknown_outcome"].error
    assert "\n" not in ends["unknown_outcome"].error


def test_starving_a_few_gains_next_to_nothing(ends: dict[str, Evaluation]) -> None:
    """They are served in the end, and their completion times count."""
    assert abs(dict(ends["starve_the_first_session"].metrics)["saved"]) < 0.03


def test_pins_for_ever_that_are_not_used_first_cost_dearly(ends: dict[str, Evaluation]) -> None:
    assert dict(ends["pin_for_ever"].metrics)["saved"] < -0.5


def test_changing_what_was_handed_over_changes_nothing(ends: dict[str, Evaluation]) -> None:
    """The order answered is that of vLLM, and so is the score."""
    assert dict(ends["mutate_inputs"].metrics)["saved"] == 0.0
