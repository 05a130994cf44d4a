"""Prefill by layers: closed forms, traffic by hand, and the referee's care for the KV cache."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_cases import ToyCost, requests_at_random, toy

from adrs.testing.direct import DirectPolicy
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.models import find_model
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.serve import serve
from evaluators.serving.engine.step import Refused
from evaluators.serving.engine.timing import Part
from evaluators.serving.moe_prefill import ServingMoePrefill
from evaluators.serving.moe_prefill.asking import Asking
from evaluators.serving.moe_prefill.interface import Engine, Prompt
from evaluators.serving.moe_prefill.traffic import ExpertRecorder
from evaluators.serving.request import Request

QWEN = find_model("Qwen3-30B-A3B")
Rows = list[tuple[int, int, int]]
Schedule = Callable[[float, list[Prompt], list[Prompt], Engine], Rows]


def run(schedule: Schedule, requests: list[Request], until: float = 1e9, **deployment: Any) -> ExpertRecorder:
    recorder = ExpertRecorder(QWEN)
    asking = Asking(DirectPolicy({"schedule": schedule}), requests[0], until, 10_000)
    serve(Instance(toy(**deployment), asking, recorder), requests)
    return recorder


def in_groups(groups: int) -> Schedule:
    """The first prompt whole, an equal share of the layers at a time."""

    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        prompt = (prefilling + waiting)[0]
        return [(prompt.id, prompt.tokens, engine.layers // groups)]

    return schedule


def first_token(recorder: ExpertRecorder) -> float:
    return float(recorder.columns()["first_token_at"][0])


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_one_prompt_in_groups_pays_the_layers_once_and_the_host_each_time(groups: int) -> None:
    cost, tokens = ToyCost(), 100
    recorder = run(in_groups(groups), [Request(0, 0.0, tokens, 1)], layers=6)
    unfinished = cost.overhead(Batch(tokens=tokens, sequences=1))
    finished = cost.overhead(Batch(tokens=tokens, sequences=1, sampled=1))
    layers = cost.layers(Batch(tokens=tokens, sequences=1, pairs=tokens**2))
    assert first_token(recorder) == pytest.approx((groups - 1) * unfinished + finished + layers, rel=1e-12)


def test_in_chunks_it_pays_the_weights_each_time() -> None:
    def halves(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        return [((prefilling + waiting)[0].id, 10, engine.layers)]

    cost = ToyCost()
    recorder = run(halves, [Request(0, 0.0, 20, 1)], layers=6)
    layers = [
        cost.layers(Batch(tokens=10, sequences=1, pairs=pairs, reread=reread))
        for pairs, reread in ((100, 0), (300, 10))
    ]
    host = cost.overhead(Batch(tokens=10, sequences=1)) + cost.overhead(Batch(tokens=10, sequences=1, sampled=1))
    assert first_token(recorder) == pytest.approx(host + sum(layers), rel=1e-12)


def test_two_prompts_part_the_layers_between_them() -> None:
    """One passes layers 0 to 3 while the other, in front, passes 2 to 5: together only in two of the six."""

    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        if not prefilling:
            return [(0, 30, 2)]
        layers = {each.id: each.layers for each in prefilling}
        return [(0, 30, 4), (1, 20, 4)] if layers.get(0) == 2 else [(1, 20, 2)]

    cost = ToyCost()
    recorder = run(schedule, [Request(0, 0.0, 30, 1), Request(1, 0.0, 20, 1)], layers=6)

    def seconds(*tokens: int) -> float:
        return cost.layers(Batch(tokens=sum(tokens), sequences=len(tokens), pairs=sum(each**2 for each in tokens)))

    first = cost.overhead(Batch(tokens=30, sequences=1)) + seconds(30) / 3
    second = cost.overhead(Batch(tokens=50, sequences=2, sampled=1)) + (seconds(20) + seconds(30, 20) + seconds(30)) / 3
    assert first_token(recorder) == pytest.approx(first + second, rel=1e-12)


def test_expert_traffic_by_hand() -> None:
    """A layer reads 8 of 128 experts for one token, 128 (1 - (15/16)^2) for two; each has 3 x 2,048 x 768 weights."""
    recorder = ExpertRecorder(QWEN)
    expert = 3 * 2048 * 768 * 2
    recorder.passed(5, [Part(1.0, Batch(tokens=1))])
    assert recorder.expert_bytes == pytest.approx(5 * 48 * 8 * expert)
    recorder.passed(1, [Part(0.25, Batch(tokens=2)), Part(0.75, Batch(tokens=0))])
    assert recorder.expert_bytes == pytest.approx((5 * 48 * 8 + 12 * 128 * (1 - (15 / 16) ** 2)) * expert)


def test_layers_read_the_experts_once_and_chunks_again_and_again() -> None:
    """Thousands of tokens activate all experts: a whole prompt reads them once, however layered, or once a chunk."""

    def chunks(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        return [((prefilling + waiting)[0].id, 1000, engine.layers)]

    everything = QWEN.layers * QWEN.experts * QWEN.expert_bytes
    prompt = [Request(0, 0.0, 4000, 1)]
    assert run(in_groups(6), prompt, layers=6).expert_bytes == pytest.approx(everything)
    assert run(chunks, prompt, layers=6).expert_bytes == pytest.approx(4 * everything)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_whatever_a_policy_does_in_the_rules_is_carried_out(seed: int) -> None:
    """Random chunks through random layers in a tight KV cache: nobody is lost, no block is short, nothing deadlocks."""
    rng = random.Random(seed)
    requests = requests_at_random(rng, 25, prompt=40, output=30, spread=3000)

    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        rows, room = [], engine.free_blocks
        for each in [*prefilling, *waiting[: engine.free_places]]:
            room -= each.blocks
            if room < 0:
                break
            tokens = each.chunk or rng.randint(1, each.tokens - each.computed)
            rows.append((each.id, tokens, rng.randint(1, engine.layers - each.layers)))
        keep = [row for row in rows if rng.random() < 0.7]
        begun = {each.id for each in prefilling}
        return keep if keep or engine.decoding else rows[:1] or [next(row for row in rows if row[0] in begun)]

    recorder = run(schedule, requests, layers=4, kv_blocks=22, max_sequences=6)
    columns = recorder.columns()
    assert sorted(columns["id"].tolist()) == list(range(25))
    expected = sum(each.prompt_tokens + each.output_tokens - 1 for each in requests)
    recomputed = int(columns["recomputed_tokens"].sum())
    assert recorder.computed_tokens == expected + recomputed


def test_the_last_begun_makes_room_and_comes_back() -> None:
    """Two requests that fit at first: their answers grow, the second goes, and is computed anew with its own answer."""
    requests = [Request(0, 0.0, 16, 30), Request(1, 0.0, 16, 30)]

    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        return [(each.id, each.tokens, 2) for each in waiting if each.blocks <= engine.free_blocks][:1]

    recorder = run(schedule, requests, layers=2, kv_blocks=14, block_size=4)
    columns = recorder.columns()
    assert columns["preemptions"].tolist() == [0, 1]
    assert columns["recomputed_tokens"][1] > 16


def test_prompts_are_begun_only_if_all_of_them_fits() -> None:
    def greedy(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
        return [(each.id, 1, engine.layers) for each in waiting + prefilling]

    with pytest.raises(Refused, match="request 1: it takes 4 KV blocks, 2 are free"):
        run(greedy, [Request(0, 0.0, 16, 1), Request(1, 0.0, 16, 1)], kv_blocks=6, block_size=4)


def test_serving_for_ever_is_refused() -> None:
    with pytest.raises(Refused, match="requests are not served after"):
        run(in_groups(6), [Request(0, 0.0, 50, 1), Request(1, 0.0, 50, 1)], until=0.001, layers=6)


def test_the_score_is_the_share_within_both_slos() -> None:
    evaluator = ServingMoePrefill()
    workload = evaluator.workloads("train", 0)[0]
    kept: list[ExpertRecorder] = []

    class Kept(ExpertRecorder):
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluators.serving.moe_prefill.evaluator.ExpertRecorder", Kept)
        metrics = evaluator.run(workload, DirectPolicy({"schedule": _chunked}))
    columns = kept[0].columns()
    ttft = columns["first_token_at"] - columns["arrival"]
    within = (ttft <= workload.parameters["ttft_slo"]) & (columns["largest_gap"] <= workload.parameters["tbt_slo"])
    assert metrics["slo_attainment"] == within.mean()
    assert 0.1 < metrics["slo_attainment"] < evaluator.bound(workload)["slo_attainment"]


def _chunked(now: float, waiting: list[Prompt], prefilling: list[Prompt], engine: Engine) -> Rows:
    prompt = (prefilling + waiting)[0]
    fits = prompt.blocks <= engine.free_blocks and engine.free_places
    return [(prompt.id, min(prompt.tokens - prompt.computed, 640), engine.layers)] if prefilling or fits else []


def test_workloads_are_disjoint_and_repeatable() -> None:
    evaluator = ServingMoePrefill()
    splits = [
        evaluator.workloads(split, salt) for split, salt in (("train", 0), ("validation", 0), ("test", 5), ("test", 6))
    ]
    hashes = [workload.hash for split in splits for workload in split]
    assert len(set(hashes)) == len(hashes)
    assert [each.hash for each in evaluator.workloads("test", 5)] == [each.hash for each in splits[2]]
    assert len({each.cluster for each in splits[2]}) >= 24
    train, validation, test, _ = ({each.regime for each in split} for split in splits)
    assert train == validation & test and validation > train < test
