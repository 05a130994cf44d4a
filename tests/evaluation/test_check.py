"""`adrs check`: what it reports of a set-up that holds, and what it finds in those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.guessing import EXACT, PROBLEM, Guessing, Noisy, off_by
from support.in_process import InProcessExecutor

from adrs.evaluation.check import Check, check_problem
from adrs.evaluation.outcome import Evaluation, Limits, Listed
from adrs.evaluation.protocol import Split, Workload
from adrs.problem import Feature
from adrs.sandbox.timing import coarse


def check(evaluator: Guessing | None = None, problem=PROBLEM) -> Check:
    return asyncio.run(check_problem(InProcessExecutor(evaluator or Guessing()), problem))


def test_a_set_up_that_holds() -> None:
    result = check()
    assert result.findings == ()
    assert result.deterministic
    assert result.bound == 0.0
    assert [(one.name, one.kind, one.status) for one in result.policies] == [
        ("seed", "seed", "ok"),
        ("Off by one", "baseline", "ok"),
        ("Off by half", "baseline", "ok"),
    ]
    assert result.policies[2].score == pytest.approx(-0.5)
    assert {one.noise for one in result.policies} == {0.0}


def test_each_policy_is_scored_twice() -> None:
    executor = InProcessExecutor(Guessing())
    counts: list[tuple[int, int]] = []
    asyncio.run(check_problem(executor, PROBLEM, lambda *count: counts.append(count)))
    assert executor.submitted == 3 * 3 * 2
    assert counts[-1] == (18, 18)


def test_the_document() -> None:
    document = check().json()
    assert {"schema", "problem", "sandbox", "deterministic", "bound", "policies"} <= set(document)
    assert {"name", "kind", "status", "score", "seconds"} <= set(document["policies"][0])
    assert (document["schema"], document["problem"], document["sandbox"]) == (1, "guessing", "none")


def test_noise_is_measured_and_found() -> None:
    result = check(Noisy())
    assert not result.deterministic
    assert result.findings == ("two evaluations of one policy differ: the evaluator has noise",)
    assert 0 < result.policies[0].noise < 1e-3


class Clocked(InProcessExecutor):
    """Prices the time of each evaluation: 20 ms, and `share` more of it for the second one of each policy."""

    def __init__(self, evaluator: Guessing, share: float) -> None:
        super().__init__(evaluator)
        self.share = share

    async def submit(self, source: str, workload: Listed, limits: Limits, repeat: int = 0) -> Evaluation:
        evaluation = await super().submit(source, workload, limits, repeat)
        seconds = coarse(0.02 * (1 + self.share * repeat))
        metrics = {**evaluation.metrics, "error": evaluation.metrics["error"] + seconds}
        return replace(evaluation, metrics=metrics, seconds=seconds)


@pytest.mark.parametrize(
    ("evaluator", "share", "finding"),
    [
        (Guessing(), 0.0, None),
        (Guessing(), 0.15, None),
        (Guessing(), 0.6, "the machine is too busy for a timed problem, or its reference too short"),
        (Noisy(), 0.0, "two evaluations of one policy differ: the evaluator has noise"),
    ],
)
def test_a_timed_problem_may_differ_as_far_as_measured_times_do(
    evaluator: Guessing, share: float, finding: str | None
) -> None:
    result = asyncio.run(check_problem(Clocked(evaluator, share), replace(PROBLEM, timed=True)))
    assert result.timed
    assert result.deterministic == (share == 0 and not isinstance(evaluator, Noisy))
    assert len(result.findings) == (finding is not None)
    assert all(finding in one for one in result.findings if finding)


def test_a_failing_baseline_is_found() -> None:
    result = check(problem=replace(PROBLEM, baselines={"Text": "def guess(hint):\n    return 'x'\n", "None": "x = 1"}))
    assert [(one.status, one.score) for one in result.policies[1:]] == [("wrong", None), ("invalid", None)]
    assert result.findings == (
        "Text: wrong: train-0: guess returned 'x'",
        "None: invalid: it does not define `guess`",
    )


def test_a_score_above_its_bound_is_found() -> None:
    result = check(Guessing(best=1.5))
    assert len(result.findings) == 2 * 3  # two baselines beat the bound on each workload
    assert "is above the bound -1.5" in result.findings[0]


def test_an_objective_that_tells_nothing_apart_is_found() -> None:
    result = check(problem=replace(PROBLEM, seed=off_by("0"), baselines={"Same": EXACT}))
    assert result.findings == ("seed and baselines all score 0.0: the error tells none apart",)


def test_too_few_clusters_are_found() -> None:
    assert check(Guessing(clusters=22)).findings == ("the test split has 22 clusters; verify.clusters asks for 24",)


def test_a_feature_that_is_no_metric_is_found() -> None:
    features = tuple(Feature(name, 0.0, 1.0, 4) for name in ("errors", "error", "code_size"))
    result = check(problem=replace(PROBLEM, search=replace(PROBLEM.search, features=features)))
    assert result.findings == ("search.features: the evaluator reports no metric `errors`; did you mean `error`?",)


class Leaking(Guessing):
    """Train's workloads are in validation, too."""

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        return super().workloads("train" if split == "validation" else split, salt)


class Restless(Guessing):
    """Every listing of test workloads is another one."""

    listings = 0

    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        self.listings += split == "test"
        return super().workloads(split, salt + self.listings if split == "test" else salt)


class Repeating(Guessing):
    def workloads(self, split: Split, salt: int) -> Sequence[Workload]:
        listed = super().workloads(split, salt)
        return [*listed, listed[0]] if split == "train" else listed


@pytest.mark.parametrize(
    ("evaluator", "finding"),
    [
        (Leaking(), "3 workloads are in train and in validation: a policy is judged on what it has seen"),
        (Restless(), "the test split listed twice with one salt differs: nobody could repeat a result"),
        (Repeating(), "the train split lists a workload twice"),
    ],
)
def test_workload_lists_that_break_their_contract_are_found(evaluator: Guessing, finding: str) -> None:
    assert check(evaluator).findings == (finding,)
