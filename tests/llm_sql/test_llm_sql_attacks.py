"""Hostile answers behind the real wall: none has a score that it has not earned."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation
from adrs.evaluation.score import PolicyScore, score_policy
from adrs.problem_file import load_problem
from adrs.testing.direct import DirectPolicy
from evaluators.llm_sql import QueryReordering

PROBLEM = load_problem(Path(__file__).parents[2] / "problems" / "llm_sql.yaml")
ATTACKS = load_attacks(Path(__file__).with_name("attacks"))
HONEST = {"seed": PROBLEM.seed, "comparator": PROBLEM.baselines["GGR to the end"]}


@pytest.fixture(scope="module")
def ends() -> dict[str, Evaluation]:
    return run_attacks(PROBLEM, ATTACKS | HONEST)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_comes_to_the_end_it_must(ends: dict[str, Evaluation], name: str) -> None:
    assert ends[name].status in expected_ends(ATTACKS[name]), ends[name]
    assert ends[name].metrics or ends[name].error


def test_scribbling_over_the_arguments_is_worth_nothing(ends: dict[str, Evaluation]) -> None:
    evaluator = QueryReordering()
    stored = DirectPolicy.from_source(PROBLEM.baselines["As stored"])
    assert dict(ends["scribble"].metrics) == evaluator.run(evaluator.workloads("train", 0)[0], stored)


@pytest.mark.parametrize("name", HONEST)
def test_a_policy_scores_the_same_behind_the_wall_as_in_process(ends: dict[str, Evaluation], name: str) -> None:
    evaluator = QueryReordering()
    first = evaluator.workloads("train", 0)[0]
    assert dict(ends[name].metrics) == evaluator.run(first, DirectPolicy.from_source(HONEST[name]))


@pytest.mark.slow
def test_answering_the_easy_tables_only_gives_no_score() -> None:
    """It answers all train tables but the last."""
    source = ATTACKS["fail_on_some"].replace("len(columns) > 15", '"comment" in columns')

    async def score() -> PolicyScore:
        executor = LocalExecutor(PROBLEM.evaluator)
        try:
            return await score_policy(executor, PROBLEM, source, "train")
        finally:
            await executor.close()

    result = asyncio.run(score())
    assert [one.evaluation.status for one in result.workloads].count("crash") == 1
    assert result.status == "crash"
    assert result.score is None
