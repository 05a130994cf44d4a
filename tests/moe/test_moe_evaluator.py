from __future__ import annotations

import asyncio
import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from moe_cases import ROOT, policy

from adrs.errors import InputError
from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Limits
from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.problem_file import load_problem
from adrs.testing.direct import DirectPolicy
from evaluators.moe import ExpertPlacement
from evaluators.moe.traffic import Scenario
from evaluators.moe.workloads import FAMILIAR, SHIFTED

CHEAP = ["mixtral-8x7b", "qwen3-30b-a3b"]


@pytest.fixture(scope="module")
def evaluator() -> ExpertPlacement:
    return ExpertPlacement(models=CHEAP)


def test_interface_is_eplbs_with_the_placement_in_force(evaluator: ExpertPlacement) -> None:
    (function,) = evaluator.interface.functions
    assert function.name == "rebalance_experts"
    assert function.parameters == ("weight", "num_replicas", "num_groups", "num_nodes", "num_gpus", "old_phy2log")
    assert function.required == 5
    assert "phy2log" in function.doc


def test_no_rebalancing_scores_exactly_zero_and_policies_stay_below_one(evaluator: ExpertPlacement) -> None:
    for workload in evaluator.workloads("train", 0):
        assert evaluator.run(workload, policy("no_rebalancing"))["gap_closed"] == 0.0
        metrics, bound = evaluator.run(workload, policy("greedy")), evaluator.bound(workload)
        assert 0.0 < metrics["gap_closed"] < 1.0 == bound["gap_closed"]
        assert metrics["tokens_per_second"] < bound["tokens_per_second"]
        assert 0.5 < metrics["balancedness"] < bound["balancedness"]


def test_metrics_are_finite_deterministic_and_without_clocks(evaluator: ExpertPlacement) -> None:
    workload = evaluator.workloads("train", 0)[0]
    first = evaluator.run(workload, policy("greedy"))
    again = ExpertPlacement(models=CHEAP).run(workload, policy("greedy"))
    assert first == again
    assert set(first) == {
        "gap_closed", "tokens_per_second", "balancedness", "moved_gb", "communication_share", "stalled_share",
        "prefill_layer_ms", "decode_layer_ms",
    }  # fmt: skip
    assert all(np.isfinite(value) for value in first.values())
    assert first["prefill_layer_ms"] > first["decode_layer_ms"] > 0


def test_policy_cannot_reach_the_simulators_arrays(evaluator: ExpertPlacement) -> None:
    """What a policy is handed is a copy: scribbling over it changes no later evaluation."""
    workload = evaluator.workloads("train", 0)[0]

    class Scribbler:
        seconds = 0.0

        def call(self, function: str, *arguments: Any) -> Any:
            answer = arguments[5].copy()
            arguments[0][:] = 1e9
            arguments[5][:] = 0
            return answer

    before = evaluator.run(workload, policy("greedy"))
    assert evaluator.run(workload, Scribbler())["gap_closed"] == 0.0
    assert evaluator.run(workload, policy("greedy")) == before


def test_refuses_an_answer_that_is_no_placement(evaluator: ExpertPlacement) -> None:
    workload = evaluator.workloads("train", 0)[0]
    lazy = DirectPolicy({"rebalance_experts": lambda weight, slots, *_: np.zeros((len(weight), slots), dtype=int)})
    with pytest.raises(WrongAnswer, match="expert 1 has no replica"):
        evaluator.run(workload, lazy)


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_and_distinct(split: Any) -> None:
    workloads = ExpertPlacement().workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash
        assert set(parameters) == {field.name for field in fields(Scenario)}
        assert workload.cluster == f"{workload.regime}-{parameters['seed']}"


def test_splits_share_no_instance_and_test_has_enough_clusters() -> None:
    evaluator = ExpertPlacement()
    by_split = {split: evaluator.workloads(split, 3) for split in SPLITS}
    seeds = {split: {w.parameters["seed"] for w in listed} for split, listed in by_split.items()}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert all(len(seeds[split]) == len(by_split[split]) for split in SPLITS)  # regimes share no router either
    assert 6 <= len(by_split["train"]) <= 8
    assert len({workload.cluster for workload in by_split["test"]}) >= 24


def test_shifted_regimes_are_new_in_model_cluster_or_drift() -> None:
    evaluator = ExpertPlacement()
    train = {workload.regime for workload in evaluator.workloads("train", 0)}
    test = {workload.regime for workload in evaluator.workloads("test", 0)}
    assert train == set(FAMILIAR)
    assert test - train == set(SHIFTED)
    seen = [(s.model, s.nodes * s.gpus_per_node, s.drift) for s in FAMILIAR.values()]
    for scenario in SHIFTED.values():
        novel = (scenario.model, scenario.nodes * scenario.gpus_per_node, scenario.drift)
        assert any(value not in known for value, known in zip(novel, zip(*seen, strict=True), strict=True))


def test_same_salt_same_test_workloads_another_salt_others() -> None:
    evaluator = ExpertPlacement(models=CHEAP)
    hashes = [[workload.hash for workload in evaluator.workloads("test", salt)] for salt in (1, 1, 2)]
    assert hashes[0] == hashes[1]
    assert not set(hashes[0]) & set(hashes[2])


def test_models_restrict_the_workloads_but_leave_enough_clusters_to_verify() -> None:
    for models in (CHEAP, CHEAP[:1]):
        workloads = ExpertPlacement(models=models).workloads("test", 0)
        assert {workload.parameters["model"] for workload in workloads} == set(models)
        assert len({workload.cluster for workload in workloads}) >= 24


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ["gpt-2"]}, "unknown model 'gpt-2'; expected one of deepseek-v3"),
        ({"models": CHEAP, "history": {}}, "either 'models' or 'history'"),
    ],
)
def test_wrong_options_are_input_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        ExpertPlacement(**options)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_models_without_train_workloads_are_refused_when_listed() -> None:
    with pytest.raises(InputError, match="no train workload"):
        ExpertPlacement(models=["deepseek-v2-lite"]).workloads("train", 0)


def test_problem_scores_the_same_behind_the_wall_as_in_process() -> None:
    problem = load_problem(ROOT / "problems" / "moe_placement.yaml")
    evaluator = ExpertPlacement(models=CHEAP)
    options = json.dumps({"models": CHEAP})

    async def behind_the_wall() -> list[Any]:
        executor = LocalExecutor(type(problem.evaluator)(problem.evaluator.target, options))
        try:
            listed = (await executor.workloads("train"))[:2]
            sources = [problem.seed, problem.baselines["DeepSeek EPLB"], "def rebalance_experts(*a): return 1"]
            return [await executor.submit(source, workload, Limits()) for source in sources for workload in listed]
        finally:
            await executor.close()

    results = asyncio.run(behind_the_wall())
    expected = [
        evaluator.run(workload, policy(name))
        for name in ("greedy", "deepseek_eplb_hierarchical")
        for workload in evaluator.workloads("train", 0)[:2]
    ]
    assert [dict(result.metrics) for result in results[:4]] == expected
    assert {result.status for result in results[4:]} <= {"wrong", "invalid"}
