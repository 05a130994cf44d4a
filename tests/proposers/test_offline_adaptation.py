"""What the offline proposer learns from the committed prefix."""

import json
from dataclasses import replace
from typing import Any

from adrs.evaluation.outcome import Status
from adrs.proposers.base import Candidate
from adrs.proposers.offline.adaptation import Adaptation
from adrs.proposers.offline.numbers import STEPS
from adrs.proposers.offline.operators import OPERATORS


def candidate(operator: str, score: float | None, status: Status = "ok", step: str = "", **more: Any) -> Candidate:
    notes = {"changes": [{"operator": operator, "note": "", "step": step}]}
    return Candidate(1, (0,), "", operator, status, score, notes=notes, parent_score=1.0, **more)


def after(*candidates: Candidate) -> dict[str, Any]:
    adaptation = Adaptation()
    for observed in candidates:
        adaptation.observe(observed)
    return dict(adaptation.hints())


def test_the_first_weights_are_the_priors() -> None:
    weights = after()["weights"]
    assert weights.keys() == OPERATORS.keys()
    assert abs(sum(weights.values()) - 1.0) < 0.01
    ratio = OPERATORS["constant"].prior / OPERATORS["delete"].prior
    assert abs(weights["constant"] / weights["delete"] - ratio) < 0.05


def test_success_raises_an_operator_and_failure_lowers_it() -> None:
    start = after()["weights"]["guard"]
    assert after(*[candidate("guard", 1.5)] * 5)["weights"]["guard"] > 1.5 * start
    assert after(*[candidate("guard", 0.5)] * 20)["weights"]["guard"] < start
    assert after(*[candidate("guard", None, "crash")] * 20)["weights"]["guard"] < start


def test_no_operator_is_ever_given_up() -> None:
    start = after()["weights"]["guard"]
    assert after(*[candidate("guard", 0.5)] * 5000)["weights"]["guard"] > 0.25 * start


def test_steps_follow_the_one_fifth_rule() -> None:
    good = candidate("constant", 1.5, step="float")
    bad = candidate("constant", 0.5, step="float")
    balanced = after(*[good, bad, bad, bad, bad] * 20)["steps"]
    assert abs(balanced["float"] - STEPS["float"]) < 1e-3, "one success in five keeps the step size"
    assert after(good)["steps"]["float"] > STEPS["float"] > after(bad)["steps"]["float"]
    assert after(good)["steps"]["int"] == STEPS["int"], "each class has its own"


def test_a_step_without_effect_was_too_short() -> None:
    assert after(candidate("constant", 1.0, step="unit"))["steps"]["unit"] > STEPS["unit"]
    assert after(candidate("constant", None, "duplicate", step="unit"))["steps"]["unit"] > STEPS["unit"]


def test_steps_stay_within_bounds() -> None:
    assert 0.0 < after(*[candidate("constant", 0.5, step="int")] * 500)["steps"]["int"] < 0.05
    assert 1.0 < after(*[candidate("constant", 1.5, step="int")] * 500)["steps"]["int"] < 2.0


def test_empty_slots_seeds_and_foreign_candidates_teach_nothing() -> None:
    seed = replace(candidate("guard", 2.0), parent_score=None)
    void = candidate("guard", None, "void")
    foreign = candidate("llm", 2.0)
    unlabelled = replace(candidate("guard", 2.0), notes={})
    assert after(seed, void, foreign, unlabelled) == after()


def test_hints_are_small_json_and_a_fold() -> None:
    observed = [candidate("grow", 1.1), candidate("constant", 0.9, step="unit"), candidate("keep", None, "timeout")]
    hints = after(*observed)
    assert hints == after(*observed)
    assert len(json.dumps(hints)) < 1000
    assert json.loads(json.dumps(hints)) == hints
