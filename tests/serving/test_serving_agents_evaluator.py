"""The evaluator of agent serving: its score, its bound, its workloads, and which answers it refuses."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from serving_agents_cases import evict, in_turn, seed_policy, small_instance

from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.testing.direct import DirectPolicy
from evaluators.serving.agents import ServingAgents
from evaluators.serving.agents.evaluator import CompletionTimes
from evaluators.serving.agents.interface import Retention
from evaluators.serving.agents.recompute import Recompute
from evaluators.serving.agents.workloads import FAMILIAR, PROFILES, SHIFTED, VALIDATION_ONLY, Scenario
from evaluators.serving.cost.batch import Batch


@pytest.fixture(scope="module")
def evaluator() -> ServingAgents:
    return ServingAgents()


@pytest.fixture(scope="module")
def brief(evaluator: ServingAgents) -> Workload:
    """Too many coding agents at a time, but few, and host memory."""
    scenario = {"agents": {"coding": 1.0}, "model": "Llama-3.1-8B", "gpu": "H100", "gpus": 1, "rate": 1.0}
    return Workload("brief", "brief", "brief", scenario | {"sessions": 8, "host_blocks": 4000, "seed": 2})


def test_vllms_own_policy_scores_zero_and_others_stay_below_the_bound(
    evaluator: ServingAgents, brief: Workload
) -> None:
    bound = evaluator.bound(brief)
    lru = evaluator.run(brief, seed_policy("lru"))
    assert lru["saved"] == 0.0
    assert lru["evicted_blocks"] > 0
    for name in ("end_of_turn", "infercept", "autellix", "continuum", "continuum_preview", "fixed_pin"):
        metrics = evaluator.run(brief, seed_policy(name))
        assert all(np.isfinite(value) for value in metrics.values())
        assert metrics["saved"] < bound["saved"]
        for time in ("jct_mean_s", "jct_p50_s", "jct_p99_s"):
            assert metrics[time] > bound[time]
        assert 0.0 <= metrics["pinned_share"] < 1.0
        assert 0.0 < metrics["hit_rate"] < 1.0
        assert (metrics["swaps"] > 0) == (name == "infercept")


def test_the_same_policy_scores_the_same(evaluator: ServingAgents, brief: Workload) -> None:
    assert evaluator.run(brief, seed_policy("infercept")) == ServingAgents().run(brief, seed_policy("infercept"))


def test_the_score_is_the_share_saved_of_the_geometric_mean() -> None:
    reference = CompletionTimes(100.0, 90.0, 400.0)
    assert CompletionTimes(100.0, 1.0, 400.0).saved(reference) == 0.0
    assert CompletionTimes(50.0, 90.0, 200.0).saved(reference) == pytest.approx(0.5)
    assert CompletionTimes(400.0, 90.0, 400.0).saved(reference) == pytest.approx(-1.0)
    assert CompletionTimes.of(np.arange(101.0)) == CompletionTimes(50.0, 50.0, 99.0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Retention(float("nan")), "pin_s of session 0 is nan; expected seconds, 0 or more or infinity"),
        (Retention(-1e-9), "pin_s of session 0 is -1e-09"),
        (Retention(1.0, "keep"), "`then` of session 0 is 'keep'; expected one of lru, discard, swap"),
    ],
)
def test_refuses_retentions_that_mean_nothing(
    evaluator: ServingAgents, brief: Workload, answer: Retention, message: str
) -> None:
    with pytest.raises(WrongAnswer, match=message):
        evaluator.run(brief, DirectPolicy({"retain": lambda *_: answer, "order": in_turn}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ids: ids[1:], "order: 1 of 7 waiting turns are missing, turn 1 among them"),
        (lambda ids: [], "order: 7 of 7 waiting turns are missing"),
        (lambda ids: [ids[1], *ids[1:]], "order: turn 2 is named more than once"),
        (lambda ids: [*ids, 77], "order: turn 77 does not wait; each waiting turn must be named once"),
        (lambda ids: [-1, *ids[1:]], "order: turn -1 does not wait"),
    ],
)
def test_refuses_orders_that_are_none(evaluator: ServingAgents, brief: Workload, change: Any, message: str) -> None:
    """Eight sessions begin at once: while the first runs, the others wait together."""
    at_once = Workload("", "", "", {**brief.parameters, "rate": 1000.0})
    with pytest.raises(WrongAnswer, match=message):
        evaluator.run(at_once, DirectPolicy({"retain": evict, "order": lambda *given: change(in_turn(*given))}))


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_and_distinct(evaluator: ServingAgents, split: Any) -> None:
    workloads = evaluator.workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash
        assert set(parameters) == {field.name for field in fields(Scenario)}


def test_splits_share_no_instance_and_test_has_enough_clusters(evaluator: ServingAgents) -> None:
    by_split = {split: evaluator.workloads(split, 3) for split in SPLITS}
    seeds = {split: {w.parameters["seed"] for w in listed} for split, listed in by_split.items()}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert len({workload.cluster for workload in by_split["test"]}) >= 24
    regimes = {split: {workload.regime for workload in listed} for split, listed in by_split.items()}
    assert regimes == {"train": {*FAMILIAR}, "validation": {*FAMILIAR, *VALIDATION_ONLY}, "test": {*FAMILIAR, *SHIFTED}}
    hashes = [[workload.hash for workload in evaluator.workloads("test", salt)] for salt in (1, 1, 2)]
    assert hashes[0] == hashes[1]
    assert not set(hashes[0]) & set(hashes[2])


@pytest.mark.parametrize("name", [*FAMILIAR, *VALIDATION_ONLY, *SHIFTED])
def test_sessions_are_numbered_in_order_and_fit_the_instance(name: str) -> None:
    scenario = {**FAMILIAR, **VALIDATION_ONLY, **SHIFTED}[name]
    sessions = scenario.generate()
    assert [session.id for session in sessions] == list(range(len(sessions)))
    assert sorted(sessions, key=lambda session: session.arrival) == sessions
    assert len(sessions) == scenario.sessions
    assert {session.tenant for session in sessions} == {PROFILES[agent].key for agent in scenario.agents}
    longest = max(turn.prompt_tokens + turn.output_tokens for session in sessions for turn in session.turns)
    assert longest <= scenario.deployment.kv_blocks * scenario.deployment.block_size
    attended = any(turn.tool == "user" for session in sessions for turn in session.turns)
    assert attended == ("attended" in scenario.agents)


@pytest.mark.parametrize("chunks", [[1], [7], [2048, 100], [500, 1], [16] * 40])
def test_no_chunking_is_faster_than_the_bound(chunks: list[int]) -> None:
    """On a real cost model: one prompt behind 3,000 cached tokens, in these chunks."""
    deployment = small_instance()
    cost, at, seconds = deployment.cost, 3000, 0.0
    for chunk in chunks:
        last = at + chunk == 3000 + sum(chunks)
        batch = Batch(chunk, 1, int(last), chunk * (chunk + 2 * at), at)
        seconds += cost.overhead(batch) + cost.layers(batch)
        at += chunk
    bound = Recompute(deployment).prefill(sum(chunks), 3000)
    assert 0.5 * seconds < bound * len(chunks) and bound <= seconds


def test_an_iteration_gets_no_cheaper_by_what_is_added() -> None:
    """The bound rests on it."""
    rng = np.random.default_rng(0)
    for scenario in {**FAMILIAR, **VALIDATION_ONLY, **SHIFTED}.values():
        cost = scenario.deployment.cost
        for _ in range(50):
            chunk, behind, decodes, context = (int(rng.integers(1, top)) for top in (1000, 90_000, 100, 10**6))
            alone = Batch(chunk, 1, 0, chunk * (chunk + 2 * behind), behind)
            with_decodes = Batch(
                chunk + decodes, 1 + decodes, decodes, alone.pairs, behind, decodes=decodes, context=context
            )
            only_decodes = Batch(decodes, decodes, decodes, decodes=decodes, context=context)
            one = Batch(1, 1, 1, decodes=1, context=context // decodes)
            costs = [cost.overhead(batch) + cost.layers(batch) for batch in (alone, with_decodes, only_decodes, one)]
            assert costs[1] >= max(costs)
            assert costs[3] <= costs[2]
