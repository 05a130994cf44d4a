"""Hostile orders behind the real wall: each ends as it must, and what is let through scores what it is worth."""

from __future__ import annotations

from pathlib import Path

import pytest
from scheduling_cases import ROOT, policy
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.outcome import Evaluation
from adrs.problem_file import load_problem
from evaluators.transactions import TransactionScheduling

ATTACKS = load_attacks(Path(__file__).parent / "scheduling_attacks")


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(load_problem(ROOT / "problems" / "transaction_scheduling.yaml"), ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_ends_as_it_must(ends: dict[str, Evaluation], name: str) -> None:
    assert ends[name].status in expected_ends(ATTACKS[name]), ends[name].error


def test_those_let_through_score_as_the_order_that_they_gave(ends: dict[str, Evaluation]) -> None:
    evaluator = TransactionScheduling()
    honest = evaluator.run(evaluator.workloads("train", 0)[0], policy("arrival_order"))
    let_through = [dict(end.metrics) for end in ends.values() if end.status == "ok"]
    assert let_through
    assert all(metrics == honest for metrics in let_through)


def test_nothing_scores_but_what_answers_in_full(ends: dict[str, Evaluation]) -> None:
    assert all(not end.metrics for end in ends.values() if end.status != "ok")
