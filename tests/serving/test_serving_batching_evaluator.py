"""The evaluator of serving_batching: its workloads, what it refuses, vLLM's scheduler across the wall to the bit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.batching_cases import SEEDS, Trusted, load, served_by
from serving.serving_cases import UNIT, ToyCost, toy
from support.attacks import expected_ends, load_attacks, run_attacks

from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.outcome import Evaluation
from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.problem_file import load_problem
from evaluators.serving.batching import ServingBatching
from evaluators.serving.batching.case import case_of
from evaluators.serving.batching.interface import Engine, Prompt, Step
from evaluators.serving.batching.scenarios import KINDS, stream
from evaluators.serving.batching.workloads import FAMILIAR, SHIFTED, VALIDATION_ONLY, scenario_of
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Limits, deployment
from evaluators.serving.engine.capacity import at_load, throughput
from evaluators.serving.engine.metrics import metrics_of
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.step import Refused
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request
from evaluators.serving.slo.case import Case
from evaluators.serving.slo.promises import RELAXED, STRICT, alone_seconds, decode_seconds, promised, seconds

ATTACKS = Path(__file__).parent / "attacks" / "serving_batching"
SLOW = {"preempt_for_ever", "swap_again_and_again", "think_for_ever", "trickle"}
A10 = deployment("LLaMA-7B", "A10", limits=Limits(2048))


# What it refuses


def test_hostile_policies_come_to_the_end_that_they_state() -> None:
    ends = _ends(set(load_attacks(ATTACKS)) - SLOW)
    assert "left to compute" in ends["beyond_the_prompt"].error
    assert "over the budget of 8192" in ends["tokens_over_the_limit"].error
    assert "the clock would stand still" in ends["starve_one"].error
    assert ends["one_at_a_time"].metrics["slo_attainment"] < 0.1


@pytest.mark.slow
def test_policies_that_waste_time_come_to_an_end() -> None:
    assert "starve" in _ends(SLOW)["preempt_for_ever"].error


def _ends(names: set[str]) -> dict[str, Evaluation]:
    attacks = {name: source for name, source in load_attacks(ATTACKS).items() if name in names}
    ends = run_attacks(load_problem("serving_batching"), attacks)
    wrong = {
        name: (end.status, end.error) for name, end in ends.items() if end.status not in expected_ends(attacks[name])
    }
    assert not wrong
    return ends


def test_more_blocks_than_there_are_is_refused() -> None:
    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], decoding: Any, engine: Engine) -> Step:
        return Step(prefill=[(request.id, request.tokens) for request in waiting])

    requests = [Request(id, 0.0, 20, 20) for id in range(9)]
    with pytest.raises(Refused, match="needs 5 more KV blocks, 0 are free"):
        served_by(Trusted(schedule), toy(kv_blocks=40), requests)


def test_the_patience_is_what_serving_one_after_the_other_takes() -> None:
    on = toy()
    requests = [Request(0, 0.5, 20, 5), Request(1, 2.0, 10, 1)]
    cost = ToyCost()
    first = seconds(on, Batch(20, 1, 1, 400)) + 4 * seconds(on, Batch(1, 1, 1, 0, 0, 1, 22))
    second = seconds(on, Batch(10, 1, 1, 100))
    assert Case(requests, on, cached=False).until == pytest.approx(2.0 + first + second)
    assert second == UNIT * (cost.step + cost.sequence + cost.sample + max(cost.weights, 1000) + 200)


def test_who_serves_one_after_the_other_is_not_refused() -> None:
    def schedule(now: float, waiting: list[Prompt], prefilling: list[Prompt], decoding: Any, engine: Engine) -> Step:
        idle = not (len(decoding) or prefilling)
        return Step(prefill=[(waiting[0].id, waiting[0].tokens)] if idle else [])

    requests = [replace(each, arrival=0.0) for each in stream(KINDS["burstgpt"], A10, 40, 1)]
    case = Case(requests, A10, cached=False)
    assert served_by(Trusted(schedule), A10, requests, until=case.until).recorder.finished == 40


# Across the wall


async def _across_the_wall(name: str, places: list[int]) -> list[Evaluation]:
    problem = load_problem("serving_batching")
    executor = LocalExecutor(problem.evaluator, jobs=2)
    try:
        workloads = await executor.workloads("train")
        source = (SEEDS / f"{name}.py").read_text()
        tasks = (executor.submit(source, workloads[place], problem.limits) for place in places)
        return list(await asyncio.gather(*tasks))
    finally:
        await executor.close()


def test_vllm_v1_across_the_wall_is_the_engines_own() -> None:
    """Every metric, to the bit: a regime that preempts, and one with a prefix cache."""
    listed = ServingBatching().workloads("train", 0)
    places = [next(i for i, each in enumerate(listed) if name in each.name) for name in ("burstgpt", "turns")]
    places[0] += 2  # at its highest load
    evaluations = asyncio.run(_across_the_wall("vllm_v1", places))
    for place, evaluation in zip(places, evaluations, strict=True):
        case = case_of(*scenario_of(listed[place].parameters))
        recorder = Recorder()
        case.serve(VllmV1(max_batch_tokens=load(SEEDS / "vllm_v1.py").BUDGET), recorder)
        expected = metrics_of(recorder, case.deployment.kv_blocks, case.deployment.gpus)
        got = dict(evaluation.metrics)
        assert got.pop("decisions_per_request") > 0.5
        assert got == expected
    assert evaluations[0].metrics["preemptions_per_request"] > 0
    assert evaluations[1].metrics["cached_share"] > 0.2


# Workloads


def test_splits_differ_in_seeds_and_loads_and_test_in_traffic() -> None:
    evaluator = ServingBatching()
    lists = {split: evaluator.workloads(split, 5) for split in SPLITS}
    hashes = [each.hash for split in SPLITS for each in lists[split]]
    assert len(set(hashes)) == len(hashes)
    assert {each.regime for each in lists["train"]} == set(FAMILIAR)
    assert {each.regime for each in lists["validation"]} == {*FAMILIAR, *VALIDATION_ONLY}
    assert {each.regime for each in lists["test"]} == {*FAMILIAR, *SHIFTED}
    assert len({each.cluster for each in lists["test"]}) >= 24
    assert lists["test"] == evaluator.workloads("test", 5) != evaluator.workloads("test", 6)
    assert lists["train"] == evaluator.workloads("train", 6)
    loads = [each.parameters["load"] for split in SPLITS for each in lists[split]]
    assert len(set(loads)) > 0.8 * len(loads)


def test_levels_of_an_instance_serve_the_same_requests_faster() -> None:
    low, middle, high = (case_of(*scenario_of(each.parameters)) for each in ServingBatching().workloads("train", 0)[:3])
    assert low.requests[-1].arrival > middle.requests[-1].arrival > high.requests[-1].arrival
    for one, other in zip(low.requests, high.requests, strict=True):
        assert replace(one, arrival=0.0) == replace(other, arrival=0.0)


SCENARIOS = {**FAMILIAR, **VALIDATION_ONLY, **SHIFTED}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_streams_are_as_they_are_described(scenario: Any) -> None:
    kind, on = KINDS[scenario.kind], scenario.deployment()
    requests = stream(kind, on, 50, 3)
    assert [request.id for request in requests] == list(range(50))
    assert all(one.arrival <= other.arrival for one, other in pairwise(requests))
    assert all(request.ttft_slo >= request.tbt_slo >= STRICT * decode_seconds(on) for request in requests)
    assert (requests[0].predicted_tokens is not None) == (kind.prediction > 0)
    assert any(request.prefix for request in requests) == kind.cached


def test_a_load_is_a_share_of_what_the_engine_gets_through() -> None:
    requests = stream(KINDS["burstgpt"], A10, 300, 1)
    rate = throughput(requests, A10, cached=False)
    timed = at_load(requests, 0.5 * rate)
    assert len(timed) / timed[-1].arrival == pytest.approx(0.5 * rate)
    gaps, stretched = (np.diff([each.arrival for each in some]) for some in (requests, timed))
    assert np.allclose(stretched / gaps, stretched[0] / gaps[0])
    all_at_once = Case([replace(each, arrival=0.0) for each in requests], A10, cached=False)
    recorder = Recorder()
    all_at_once.serve(VllmV1(), recorder)
    assert rate == pytest.approx(300 / recorder.busy)


def test_slos_are_multiples_of_what_the_deployment_can_do() -> None:
    on = deployment("Llama-3.1-8B", "A100", limits=Limits(8192))
    reference = seconds(on, Batch(32, 32, 32, 0, 0, 32, 32 * 4096))
    strict, relaxed = (promised(on, Request(0, 0.0, 5000, 9), multiple) for multiple in (STRICT, RELAXED))
    assert strict.tbt_slo == 5 * reference and relaxed.tbt_slo == 25 * reference
    alone = seconds(on, Batch(5000, 1, 1, 5000**2))
    assert strict.ttft_slo == 6 * alone == pytest.approx(relaxed.ttft_slo / 5)
    assert promised(on, Request(0, 0.0, 1, 9), STRICT).ttft_slo == 5 * reference
    in_two = seconds(on, Batch(8192, 1, 0, 8192**2)) + seconds(on, Batch(1, 1, 1, 1 + 2 * 8192, 8192))
    assert alone_seconds(on, 8193) == pytest.approx(in_two)
    assert decode_seconds(A10) == seconds(A10, Batch(32, 32, 32, 0, 0, 32, A10.kv_blocks * 16))


def test_a_refused_step_is_a_wrong_answer() -> None:
    evaluator = ServingBatching()
    workload = evaluator.workloads("train", 0)[0]
    with pytest.raises(WrongAnswer, match="clock would stand still"):
        evaluator.run(workload, Trusted(lambda *_: Step()))


# Head-room


@pytest.mark.slow
def test_there_is_head_room_above_the_published_schedulers(tmp_path: Path) -> None:
    """The seed with its queue turned round, as a search found it, beats them on unseen streams."""
    evaluator = ServingBatching()
    turned = tmp_path / "turned.py"
    turned.write_text(_turned((SEEDS / "first_come.py").read_text()))
    gains = []
    for workload in _middle_loads(evaluator.workloads("test", 20_261)):
        scores = [
            evaluator.run(workload, Trusted(load(path).schedule))["slo_attainment"]
            for path in (turned, SEEDS / "vllm_v1.py", SEEDS / "shortest_first.py")
        ]
        gains.append([scores[0] - rival for rival in scores[1:]])
    assert np.mean(gains, axis=0).min() > 0.05


def _turned(seed: str) -> str:
    """Last come, first served, less for long prompts and loose SLOs."""
    changes = {
        "SLO = 0.0": "SLO = -0.53",
        "WORK = 0.0": "WORK = -0.717",
        "(waiting, key=urgency)": "(waiting, key=urgency, reverse=True)",
    }
    for old, new in changes.items():
        assert seed.count(old) == 1
        seed = seed.replace(old, new)
    return seed


def _middle_loads(workloads: Any) -> list[Workload]:
    return list(workloads)[1::9]
