"""Timed problems behind the wall. No assertion on a clock, only on ratios that no load of the machine explains."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.attacks import expected_ends, load_attacks

from adrs.errors import HouseError, InputError
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor, evaluate
from adrs.evaluation.outcome import Evaluation, Limits
from adrs.evaluation.score import gather
from adrs.sandbox.loading import load_evaluator
from adrs.sandbox.timing import SHORT_SECONDS, STEP, Stopwatch, coarse

HERE = Path(__file__).parent
PLANNING = HERE.parent / "support" / "planning"
QUADRATIC = (PLANNING / "quadratic.py").read_text()
SORTING = (PLANNING / "sorting.py").read_text()
TEN_TIMES = QUADRATIC.replace("def order(", "def once(") + """

def order(lengths, weights):
    return [once(lengths, weights) for _ in range(10)][-1]
"""  # fmt: skip
ATTACKS = load_attacks(HERE / "timed")
HONEST = {"quadratic": QUADRATIC, "again": QUADRATIC, "sorting": SORTING, "ten times": TEN_TIMES}
FAILING = {
    "invalid": "def order(lengths",
    "crash": SORTING.replace("sorted", "soted"),
    "wrong": "import numpy as np\ndef order(lengths, weights):\n    return np.zeros(len(lengths), np.int64)\n",
}
REFERENCE_SECONDS = 0.02
LIMITS = Limits(cpu_seconds=4, call_seconds=2)


def spec(name: str = "Planning", file: Path = PLANNING / "evaluator.py", **options: object) -> EvaluatorSpec:
    return EvaluatorSpec(f"{file}:{name}", json.dumps(options))


def timed(sources: Mapping[str, str], evaluator: EvaluatorSpec, jobs: int = 2) -> dict[str, Evaluation]:
    async def run() -> list[Evaluation]:
        executor = LocalExecutor(evaluator, jobs, timed=True)
        try:
            workload = (await executor.workloads("train"))[0]
            return await gather(executor.submit(source, workload, LIMITS) for source in sources.values())
        finally:
            await executor.close()

    return dict(zip(sources, asyncio.run(run()), strict=True))


@pytest.fixture(scope="module")
def played() -> dict[str, Evaluation]:
    return timed(HONEST | FAILING | ATTACKS, spec())


def test_a_faster_policy_with_the_same_plan_scores_more(played: dict[str, Evaluation]) -> None:
    slow, fast = played["quadratic"].metrics, played["sorting"].metrics
    assert fast["efficiency"] == slow["efficiency"] == pytest.approx(1.0)
    assert fast["planning_seconds"] < slow["planning_seconds"] / 2
    assert fast["net"] > slow["net"]


def test_burnt_time_is_paid_for(played: dict[str, Evaluation]) -> None:
    burnt, plain = played["ten times"].metrics, played["quadratic"].metrics
    assert burnt["planning_seconds"] > 4 * plain["planning_seconds"]
    assert burnt["net"] < plain["net"]


def test_time_is_that_of_the_machine_of_the_reference(played: dict[str, Evaluation]) -> None:
    """The reference itself, on a workload of the size of its own."""
    assert REFERENCE_SECONDS / 1.5 < played["quadratic"].seconds < 1.5 * REFERENCE_SECONDS


def test_one_policy_is_timed_alike(played: dict[str, Evaluation]) -> None:
    one, other = played["quadratic"].seconds, played["again"].seconds
    assert max(one, other) / min(one, other) < 1.5


def test_the_evaluation_says_the_seconds_that_were_priced(played: dict[str, Evaluation]) -> None:
    for evaluation in played.values():
        if evaluation.status == "ok":
            assert evaluation.seconds == evaluation.metrics["planning_seconds"] == coarse(evaluation.seconds)


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_is_the_policys_own(played: dict[str, Evaluation], name: str) -> None:
    assert played[name].status == name
    assert played[name].metrics == {}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_ends_as_it_must(played: dict[str, Evaluation], name: str) -> None:
    """One that ends as `ok` works ten times as much as `quadratic`, or as much, and has hidden none of it."""
    evaluation = played[name]
    assert evaluation.status in expected_ends(ATTACKS[name]), evaluation
    if evaluation.status == "ok":
        factor = 10 if "ten times" in ATTACKS[name] else 1
        assert evaluation.seconds > factor * played["quadratic"].seconds / 2
    else:
        assert evaluation.metrics == {}


def test_a_problem_that_is_not_timed_is_played_once_and_priced_nothing() -> None:
    for _, evaluation in evaluate(spec(), SORTING):
        assert set(evaluation.metrics) == {"efficiency"}


def test_an_evaluator_that_prices_no_time_is_refused_by_the_first_request() -> None:
    with pytest.raises(InputError, match=r"wall_evaluators.py:Base: `timed: true` needs a `reference` and a method"):
        timed({"any": SORTING}, spec("Base", HERE / "wall_evaluators.py"))


def test_a_reference_that_fails_is_the_fault_of_the_house() -> None:
    with pytest.raises(
        HouseError, match="the reference policy of the timed evaluator fails: crash: NameError"
    ) as failed:
        timed({"any": SORTING}, spec(reference=FAILING["crash"]))
    assert failed.value.status == "evaluator_error"


def test_a_reference_of_no_time_is_the_fault_of_the_house() -> None:
    evaluator, _ = load_evaluator(spec(reference_seconds=0))
    with pytest.raises(HouseError, match="Reference of more than 0 seconds"):
        Stopwatch(evaluator, "planning")


def test_the_reference_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    """Its file is none that the evaluator imports."""
    copy = Path(shutil.copytree(PLANNING, tmp_path / "planning"))
    before, again = (load_evaluator(spec(file=copy / "evaluator.py"))[1] for _ in range(2))
    (copy / "quadratic.py").write_text(SORTING)
    assert before == again != load_evaluator(spec(file=copy / "evaluator.py"))[1]


def test_coarse_times_lie_on_a_grid_of_small_steps() -> None:
    times = [10 ** (-7 + 9 * i / 2000) for i in range(2001)]
    rounded = [coarse(time) for time in times]
    assert coarse(0.0) == coarse(-1e-9) == 0.0
    assert rounded == sorted(rounded)
    for time, near in zip(times, rounded, strict=True):
        assert coarse(near) == pytest.approx(near, rel=1e-12, abs=1e-15)
        assert abs(near - time) <= (STEP - 1) / 2 * (time + SHORT_SECONDS) * STEP
    assert len(set(rounded)) < math.log(1e5) / math.log(STEP) + 2
