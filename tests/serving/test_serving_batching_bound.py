"""The bound on the requests that can be served within their SLOs: no scheduler beats it, and simple cases meet it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from serving.batching_cases import seed, served_by
from serving.serving_cases import UNIT, ToyCost, requests_at_random, served, shared_at_random, toy

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.engine.metrics import attained
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request
from evaluators.serving.slo.bound import Bound, Prices

SMALL = toy(kv_blocks=4000, max_batch_tokens=64, max_sequences=16)


def with_slos(rng: random.Random, requests: list[Request]) -> list[Request]:
    """Tight enough that some cannot be met."""
    first, gap = rng.choice([8_000, 20_000, 60_000]), rng.choice([6_000, 10_000, 40_000])
    return [
        replace(each, ttft_slo=first * UNIT * rng.uniform(0.5, 2.0), tbt_slo=gap * UNIT * rng.uniform(0.5, 2.0))
        for each in requests
    ]


@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize("number", range(12))
def test_no_scheduler_beats_it(number: int, sharing: bool) -> None:
    rng = random.Random(number)
    requests = requests_at_random(rng, 40, 60, 30, rng.choice([1_000, 10_000]), exact=False)
    if sharing:
        requests = shared_at_random(rng, requests, 3)
    requests = with_slos(rng, requests)
    bound = Bound(requests, Prices.of(SMALL), cached=sharing).attainment
    for name in ("vllm_v1", "vllm_v0", "shortest_first"):
        recorder = served_by(seed(name), SMALL, requests, sharing).recorder
        assert attained(recorder.columns()).mean() <= bound
    assert attained(served(SMALL, VllmV1(), requests, sharing).recorder.columns()).mean() <= bound


def test_it_binds_somewhere() -> None:
    """Among the streams above, so that they say something."""
    bounds = []
    for number in range(12):
        rng = random.Random(number)
        requests = requests_at_random(rng, 40, 60, 30, rng.choice([1_000, 10_000]), exact=False)
        bounds.append(Bound(with_slos(rng, requests), Prices.of(SMALL), cached=False).attainment)
    assert min(bounds) < 0.7 and len(set(bounds)) > 3


def test_equal_prompts_at_once_are_served_as_many_as_fit() -> None:
    cost = ToyCost()
    work = UNIT * (20 * cost.token + 400 * cost.pair + cost.sequence + cost.sample + cost.step / 16)
    requests = [Request(id, 0.0, 20, 1, ttft_slo=7.5 * work) for id in range(10)]
    assert Bound(requests, Prices.of(SMALL), cached=False).attainment == 0.7
    generous = [replace(request, ttft_slo=20 * work) for request in requests]
    assert Bound(generous, Prices.of(SMALL), cached=False).attainment == 1.0


def test_what_an_earlier_request_leaves_costs_nothing() -> None:
    rng = random.Random(1)
    requests = with_slos(rng, shared_at_random(rng, requests_at_random(rng, 40, 60, 30, 1_000), 3))
    prices = Prices.of(SMALL)
    assert Bound(requests, prices, cached=True).attainment > Bound(requests, prices, cached=False).attainment


@pytest.mark.parametrize("on", [SMALL, deployment("LLaMA-7B", "A10", limits=Limits(2048, 64))])
@pytest.mark.parametrize("number", range(4))
def test_no_iteration_costs_less_than_its_pieces(on: Deployment, number: int) -> None:
    prices, rng = Prices.of(on), np.random.default_rng(number)
    for _ in range(200):
        decodes = int(rng.integers(0, on.max_sequences))
        chunk = int(rng.integers(0, on.max_batch_tokens - decodes))
        before, context = int(rng.integers(0, 5000)), int(rng.integers(0, 3000)) * decodes
        if not decodes + chunk:
            continue
        pairs = chunk * (chunk + 2 * before)
        batch = Batch(decodes + chunk, decodes + (chunk > 0), decodes, pairs, before, decodes, context)
        pieces = prices.token * batch.tokens + prices.pair * pairs + prices.context * context + prices.answer * decodes
        assert pieces <= (on.cost.overhead(batch) + on.cost.layers(batch)) * (1 + 1e-9)
