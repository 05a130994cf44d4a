"""Scores of a policy on a split, and the document of `adrs evaluate`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from support.guessing import EXACT, PROBLEM, Broken, Guessing, off_by
from support.in_process import InProcessExecutor

from adrs.errors import HouseError, InputError
from adrs.evaluation.outcome import Limits
from adrs.evaluation.score import evaluation_json, score_file, score_policy
from adrs.problem import Objective


def score(source: str, problem=PROBLEM, executor=None, split="train", **options):
    executor = executor or InProcessExecutor(Guessing())
    return asyncio.run(score_policy(executor, problem, source, split, **options))


def test_the_mean_over_workloads_with_metrics_and_bound() -> None:
    result = score(off_by("0.5"))
    assert result.status == "ok"
    assert result.score == pytest.approx(-0.5)
    assert result.bound == 0.0
    assert [one.score for one in result.workloads] == pytest.approx([-0.5] * 3)
    hints = [one.parameters["hint"] for one in Guessing().workloads("train", 0)]
    assert result.metrics == pytest.approx({"error": 0.5, "guess": sum(hints) / 3 + 0.5})
    assert result.seconds == 0.75


def test_the_worst_workload_may_be_what_counts() -> None:
    problem = replace(PROBLEM, objective=Objective("error", "minimize", "worst"))
    result = score(off_by("hint"), problem)
    hints = [one.parameters["hint"] for one in Guessing().workloads("train", 0)]
    assert result.score == pytest.approx(-max(hints))


def test_one_failing_workload_leaves_no_score() -> None:
    hints = [one.parameters["hint"] for one in Guessing().workloads("train", 0)]
    result = score(f"def guess(hint):\n    return hint if hint < {max(hints)!r} else 1 / 0\n")
    assert (result.status, result.score, result.metrics) == ("crash", None, {})
    assert [one.evaluation.status for one in result.workloads].count("ok") == 2
    assert result.message == f"{result.failed}: ZeroDivisionError: division by zero"


def test_an_invalid_text_is_not_run() -> None:
    executor = InProcessExecutor(Guessing())
    result = score("def other(hint):\n    return 1\n", executor=executor)
    assert (result.status, result.error, result.workloads) == ("invalid", "it does not define `guess`", ())
    large = score(EXACT + "#" * 2000, replace(PROBLEM, limits=Limits(source_kb=1)), executor)
    assert (large.status, large.error) == ("invalid", f"the source has {len(EXACT) + 2000} bytes; the limit is 1024")
    assert executor.submitted == 0


def test_a_wrong_answer_is_the_candidates_failure() -> None:
    assert score("def guess(hint):\n    return 'high'\n").status == "wrong"


def test_the_houses_failure_is_raised_after_the_rest_was_stopped() -> None:
    executor = InProcessExecutor(Broken())
    with pytest.raises(HouseError, match="the simulator failed"):
        score(EXACT, executor=executor)
    assert executor.running == 0


def test_a_metric_that_is_not_reported_is_the_evaluators_fault() -> None:
    problem = replace(PROBLEM, objective=Objective("eror"))
    with pytest.raises(HouseError, match=r"no metric `eror`; did you mean `error`\?") as caught:
        score(EXACT, problem)
    assert caught.value.status == "evaluator_error"


def test_the_document_of_evaluate(tmp_path: Path) -> None:
    policy = tmp_path / "policy.py"
    policy.write_text(EXACT)
    seen: list[tuple[int, int]] = []
    executor = InProcessExecutor(Guessing())
    result = asyncio.run(score_file(executor, PROBLEM, policy, "validation", lambda *counts: seen.append(counts)))
    document = evaluation_json(result)
    assert list(document) == ["schema", "status", "score", "seconds", "metrics", "workloads", "error"]
    assert (document["schema"], document["status"], document["score"], document["error"]) == (1, "ok", 0.0, "")
    assert list(document["workloads"][0]) == ["name", "status", "score", "bound", "metrics", "seconds"]
    assert [one["name"] for one in document["workloads"]] == ["validation-0", "validation-1", "validation-2"]
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("test", "--split test: test workloads belong to `adrs verify`"),
        ("val", "--split val: did you mean `validation`"),
    ],
)
def test_evaluate_refuses_other_splits(tmp_path: Path, split: str, expected: str) -> None:
    executor = InProcessExecutor(Guessing())
    with pytest.raises(InputError) as caught:
        asyncio.run(score_file(executor, PROBLEM, tmp_path / "policy.py", split))
    assert str(caught.value).startswith(expected)


def test_evaluate_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy\.py: cannot read the policy: No such file"):
        asyncio.run(score_file(InProcessExecutor(Guessing()), PROBLEM, tmp_path / "policy.py"))
