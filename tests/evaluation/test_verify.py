"""`adrs verify`: what is claimed of a candidate on held-out workloads, and when nothing is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.guessing import EXACT, FAILS_ABOVE_9, PROBLEM, Guessing, off_by, with_verify
from support.in_process import InProcessExecutor

from adrs.errors import InputError
from adrs.evaluation.verify import Verification, verify_policy
from adrs.problem import Objective


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def verify(source: str, problem=PROBLEM, salt: int | None = 7, clusters: int = 24) -> Verification:
    executor = InProcessExecutor(Guessing(clusters))
    return asyncio.run(verify_policy(executor, problem, source, salt))


def test_a_better_candidate() -> None:
    result = verify(EXACT)
    assert (result.score, result.bound, result.clusters, result.salt) == (0.0, 0.0, 24, 7)
    assert (result.verdict, result.beats_every_baseline) == ("better", True)
    seed, one, half = result.comparisons
    assert [seed.baseline, one.baseline, half.baseline] == ["seed", "Off by one", "Off by half"]
    hints = [listed.parameters["hint"] for listed in Guessing().workloads("test", 7)]
    assert one.score == pytest.approx(-1 - sum(hints) / len(hints) / 100)
    assert one.difference == pytest.approx(-one.score)  # equal clusters: the means agree
    assert one.relative == pytest.approx(1.0)
    assert one.ci95[0] < one.difference < one.ci95[1]
    assert one.p == 2 / 2**24
    assert all(comparison.significant for comparison in result.comparisons)
    assert half.ci95 == pytest.approx((0.5, 0.5))


def test_the_interval_of_a_known_difference_holds_it() -> None:
    """Errors that differ by hint / 100 - 0.045: the mean over uniform hints is 0.005, hidden in their spread."""
    result = verify(off_by("1.045"))
    comparison = next(one for one in result.comparisons if one.baseline == "Off by one")
    assert comparison.ci95[0] < 0.005 < comparison.ci95[1]
    assert comparison.p > 0.01


def test_a_worse_candidate() -> None:
    result = verify(off_by("3"))
    assert (result.verdict, result.beats_every_baseline) == ("worse", False)
    comparison = result.comparisons[1]
    assert comparison.significant
    assert comparison.difference == pytest.approx(comparison.score * -1 - 3)


def test_the_candidate_may_be_a_baseline() -> None:
    result = verify(PROBLEM.baselines["Off by one"])
    assert result.verdict == "no difference shown"
    comparison = result.comparisons[1]
    assert (comparison.difference, comparison.ci95, comparison.p) == (0.0, (0.0, 0.0), 1.0)


def test_a_gain_below_the_minimum_effect_is_said_to_be() -> None:
    assert verify(off_by("0.95"), with_verify(minimum_effect=0.2)).verdict == "below minimum effect"
    assert verify(off_by("0.95"), with_verify(minimum_effect=0.0)).verdict == "better"


def test_holm_corrects_all_but_the_comparator() -> None:
    result = verify(off_by("1 + hint / 100 + (0.01 if hint > 4 else -0.012)"), with_verify("seed"))
    by_name = {one.baseline: one for one in result.comparisons}
    assert by_name["seed"].p_adjusted == by_name["seed"].p
    weak = by_name["Off by one"]
    strong = by_name["Off by half"]
    assert strong.p_adjusted == 2 * strong.p
    assert weak.p_adjusted == weak.p > 0.05
    assert not result.beats_every_baseline


def test_regimes_are_familiar_or_shifted() -> None:
    result = verify(off_by("hint"))
    assert [(one.name, one.familiar, one.workloads, one.bound) for one in result.regimes] == [
        ("far", False, 24, 0.0),
        ("near", True, 24, 0.0),
    ]
    hints = [one.parameters["hint"] for one in Guessing().workloads("test", 7) if one.regime == "near"]
    assert result.regimes[1].score == pytest.approx(-sum(hints) / 24)
    assert result.regimes[1].comparator == pytest.approx(-1 - sum(hints) / 2400)


def test_a_candidate_that_fails_has_no_score_and_no_comparison() -> None:
    result = verify(FAILS_ABOVE_9)
    assert (result.verdict, result.status, result.score) == ("failed", "crash", None)
    assert (result.comparisons, result.beats_every_baseline) == ((), False)
    failure = result.failures[0]
    assert (failure.policy, failure.status) == ("candidate", "crash")
    assert "ZeroDivisionError" in failure.error
    assert failure.workload in {one.name for one in Guessing().workloads("test", 7)}
    assert {one.score for one in result.regimes} == {None}


def test_a_failing_baseline_is_left_out_with_its_reason() -> None:
    problem = replace(PROBLEM, baselines={**PROBLEM.baselines, "Fragile": FAILS_ABOVE_9})
    result = verify(EXACT, problem)
    assert result.verdict == "better"
    assert "Fragile" not in {one.baseline for one in result.comparisons}
    assert [(one.policy, one.status) for one in result.failures] == [("Fragile", "crash")]
    assert not result.beats_every_baseline
    assert verify(EXACT, replace(problem, verify=replace(problem.verify, comparator="Fragile"))).verdict == (
        "comparator failed"
    )


def test_a_salt_repeats_a_result_and_fresh_ones_differ() -> None:
    first, again = verify(off_by("hint / 7")), verify(off_by("hint / 7"))
    assert replace(again, opened=first.opened) == first
    fresh = [verify(EXACT, salt=None) for _ in range(4)]
    assert len({one.salt for one in fresh}) == 4
    assert all(0 <= one.salt < 2**31 for one in fresh)
    assert "not drawn afresh" in first.notes[0]
    assert {one.notes for one in fresh} == {()}


def test_openings_are_counted_for_each_version_of_a_problem() -> None:
    assert [verify(EXACT).opened for _ in range(3)] == [1, 2, 3]
    other = InProcessExecutor(Guessing(), fingerprint="changed")
    assert asyncio.run(verify_policy(other, PROBLEM, EXACT, 7)).opened == 1


@pytest.mark.parametrize("salt", [-1, 2**31])
def test_a_salt_out_of_range(salt: int) -> None:
    with pytest.raises(InputError, match=f"--salt {salt}: expected a whole number from 0 to 2147483647"):
        verify(EXACT, salt=salt)


def test_too_few_clusters_open_nothing() -> None:
    with pytest.raises(InputError, match=r"guessing: verify\.clusters: .* 19 clusters, 24 are asked for"):
        verify(EXACT, clusters=19)
    with pytest.raises(InputError, match="19 clusters, 20 are asked for"):
        verify(EXACT, with_verify(clusters=5), clusters=19)
    assert verify(EXACT, with_verify(clusters=20), clusters=20).opened == 1


def test_equal_texts_are_evaluated_once() -> None:
    executor = InProcessExecutor(Guessing())
    counts: list[tuple[int, int]] = []
    problem = replace(PROBLEM, baselines={"Off by one": EXACT})
    result = asyncio.run(verify_policy(executor, problem, EXACT, 7, lambda *count: counts.append(count)))
    assert executor.submitted == 2 * 48
    assert counts[-1] == (96, 96)
    assert len(result.comparisons) == 2


def test_the_worst_workload_as_aggregate_is_explained() -> None:
    result = verify(off_by("hint"), replace(PROBLEM, objective=Objective("error", "minimize", "worst")))
    hints = [one.parameters["hint"] for one in Guessing().workloads("test", 7)]
    assert result.score == pytest.approx(-max(hints))
    assert "scores are those of the worst workload; differences are means over clusters" in result.notes


def test_the_document() -> None:
    document = json.loads(json.dumps(verify(EXACT).json("runs/a", 17)))
    assert (document["schema"], document["run"], document["id"], document["opened"]) == (1, "runs/a", 17, 1)
    assert {"salt", "score", "bound", "clusters", "method", "comparisons", "regimes", "opened"} <= set(document)
    assert "24 clusters" in document["method"]
    assert {"baseline", "score", "difference", "relative", "ci95", "p", "significant"} <= set(
        document["comparisons"][0]
    )
    assert len(document["comparisons"][0]["ci95"]) == 2
    assert {"name", "familiar", "score", "comparator"} <= set(document["regimes"][0])
