"""Hostile answers behind the real wall: none scores but the one that breaks no rule, and that as it deserves."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.outcome import Evaluation
from adrs.problem_file import load_problem

ATTACKS = load_attacks(Path(__file__).parent / "attacks" / "serving_moe_prefill")


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(load_problem("serving_moe_prefill"), ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_comes_to_its_end(ends: dict[str, Evaluation], name: str) -> None:
    end = ends[name]
    assert end.status in expected_ends(ATTACKS[name]), end.error
    assert (end.status == "ok") == bool(end.metrics)


def test_a_policy_learns_what_was_wrong(ends: dict[str, Evaluation]) -> None:
    assert "no such request" in ends["unknown_request"].error
    assert "are left to compute" in ends["too_many_tokens"].error
    assert "part-way through the layers" in ends["grow_a_chunk"].error
    assert "KV blocks" in ends["overcommit"].error
    assert "the clock would stand still" in ends["never"].error
    assert "let more tokens or layers pass" in ends["stall"].error


def test_scribbling_over_the_inputs_changes_nothing(ends: dict[str, Evaluation]) -> None:
    """Whole prompts of thousands of tokens take longer than two tokens may be apart."""
    assert dict(ends["scribble"].metrics)["slo_attainment"] < 0.2
