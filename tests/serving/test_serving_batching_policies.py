"""The published schedulers of serving_batching: what each says, that none is ever refused, and vLLM's to the bit."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from serving.batching_cases import POLICIES, SEEDS, Trusted, load, seed, served_by
from serving.serving_cases import requests_at_random, served, shared_at_random, toy

from evaluators.serving.batching.interface import (
    FREES,
    GENERATED,
    ID,
    PREDICTED,
    PRIORITY,
    PROMPT,
    TENANT,
    Engine,
    Prompt,
    Step,
)
from evaluators.serving.batching.view import COLUMNS
from evaluators.serving.cost.deployment import Limits, deployment
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.traffic.azure import CONVERSATION
from evaluators.serving.traffic.burstgpt import BURSTGPT

BLOCK = 16


def prompt(id: int, tokens: int, computed: int = 0, predicted: int = -1, tenant: int = 0) -> Prompt:
    blocks = -(-computed // BLOCK)
    return Prompt(id, float(id), tokens, computed, blocks, blocks, 0, predicted, 0.0, 1.0, 0.1, 0, tenant, 0, False)


def decodes(*rows: tuple[int, int, int]) -> Any:
    """Rows of (id, prompt, generated)."""
    matrix = np.zeros((len(rows), COLUMNS))
    for row, (id, tokens, generated) in zip(matrix, rows, strict=True):
        row[[ID, PROMPT, GENERATED, PREDICTED]] = id, tokens, generated, -1
        row[FREES] = -(-(tokens + generated - 1) // BLOCK)
    return matrix


def engine(free: int = 1000, needed: int = 0, max_tokens: int = 8192, waiting: int = 0) -> Engine:
    return Engine(1000, BLOCK, free, needed, max_tokens, 256, waiting)


def ask(name: str, waiting: Any = (), prefilling: Any = (), decoding: Any = None, on: Engine | None = None) -> Step:
    rows = decodes() if decoding is None else decoding
    return seed(name).call("schedule", 0.0, list(waiting), list(prefilling), rows, on or engine())


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("sharing", [False, True])
def test_none_is_refused_however_short_the_blocks_are(name: str, number: int, sharing: bool) -> None:
    rng = random.Random(number)
    requests = requests_at_random(rng, 80, 60, 60, 10_000)
    if sharing:
        requests = shared_at_random(rng, requests, 3)
    on = toy(kv_blocks=rng.choice([31, 40, 80]), max_batch_tokens=rng.choice([64, 1 << 20]), max_sequences=64)
    instance = served_by(seed(name), on, requests, sharing)
    assert instance.recorder.finished == len(requests)


def same(one: Instance, other: Instance) -> bool:
    left, right = one.recorder.columns(), other.recorder.columns()
    return (
        all(np.array_equal(left[name], right[name]) for name in left) and one.recorder.joules == other.recorder.joules
    )


@pytest.mark.parametrize("number", range(8))
def test_vllm_v1_is_the_engines_own_where_blocks_are_short(number: int) -> None:
    rng = random.Random(number)
    requests = requests_at_random(rng, 80, 60, 60, 10_000)
    on = toy(kv_blocks=rng.choice([40, 60, 120]), max_batch_tokens=rng.choice([40, 64, 100]), max_sequences=32)
    theirs = served(on, VllmV1(), requests)
    assert same(served_by(seed("vllm_v1"), on, requests), theirs)
    assert theirs.recorder.columns()["preemptions"].sum() > 0


@pytest.mark.parametrize("number", range(4))
def test_vllm_v1_is_the_engines_own_with_a_prefix_cache(number: int) -> None:
    """Without preemptions: the engine preempts in order of admission, which a policy cannot tell where a cached prefix
    was evicted between the decision and the admission."""
    rng = random.Random(number)
    requests = shared_at_random(rng, requests_at_random(rng, 80, 60, 60, 10_000), 3)
    on = toy(kv_blocks=600, max_batch_tokens=rng.choice([40, 64, 100]), max_sequences=32)
    theirs = served(on, VllmV1(), requests, sharing=True)
    assert same(served_by(seed("vllm_v1"), on, requests, sharing=True), theirs)
    columns = theirs.recorder.columns()
    assert columns["cached_tokens"].sum() > 0 and not columns["preemptions"].any()


@pytest.mark.parametrize(
    ("model", "gpu", "traffic", "rate"),
    [("Llama-3.1-8B", "H100", CONVERSATION, 18.0), ("LLaMA-7B", "A10", BURSTGPT, 8.0)],
)
def test_vllm_v1_is_the_engines_own_on_real_deployments(model: str, gpu: str, traffic: Any, rate: float) -> None:
    policy = load(SEEDS / "vllm_v1.py")
    on = deployment(model, gpu, limits=Limits(2048))
    requests = list(traffic.requests(rate, 3, count=300))
    ours = served_by(Trusted(policy.schedule), on, requests)
    assert same(ours, served(on, VllmV1(max_batch_tokens=policy.BUDGET), requests))


def test_first_come_takes_prompts_in_order_and_preempts_the_last() -> None:
    step = ask("first_come", [prompt(2, 100), prompt(3, 700)], [prompt(0, 900, 100)], decodes((9, 50, 5)))
    assert step == Step(prefill=[(0, 800), (2, 100), (3, 123)])
    room = ask("first_come", [prompt(2, 700)], [], decodes((8, 50, 5), (9, 50, 5)), engine(free=1, needed=3))
    assert room == Step(preempt=[9])


def test_vllm_v1_serves_running_ones_first_and_preempts_the_last() -> None:
    step = ask("vllm_v1", [prompt(9, 5000)], [prompt(8, 3000, 1000)], decodes((1, 100, 5)))
    assert step == Step(prefill=[(8, 1023)])
    short = ask("vllm_v1", [prompt(9, 500)], [], decodes((1, 16, 1), (2, 15, 1), (3, 16, 1)), engine(free=1, needed=2))
    assert short == Step(preempt=[3], iterations=1)  # 1 takes the block, 3 finds none and is the last itself
    last = ask("vllm_v1", [], [prompt(8, 64, 32)], decodes((1, 16, 1)), engine(free=0, needed=1))
    assert last == Step(preempt=[8], iterations=1)


def test_vllm_v0_stalls_decodes_for_whole_prompts() -> None:
    step = ask("vllm_v0", [prompt(1, 5000), prompt(2, 3000), prompt(3, 500)], [], decodes((0, 100, 5)))
    assert step == Step(prefill=[(1, 5000), (2, 3000)], decode=False)
    assert ask("vllm_v0", [prompt(1, 5000)], [], decodes((0, 100, 5)), engine(free=100)) == Step()
    fewer = ask("vllm_v0", [], [], decodes((1, 16, 1), (2, 16, 1)), engine(free=1, needed=2))
    assert fewer == Step(preempt=[2], iterations=1)


def test_orca_reserves_the_longest_answer() -> None:
    policy = load(SEEDS / "orca.py")
    each = (100 + policy.ANSWER) // BLOCK + 1
    step = Trusted(policy.schedule).call(
        "schedule", 0.0, [prompt(id, 100) for id in range(200)], [], decodes(), engine()
    )
    assert len(step.prefill) == 1000 // each
    assert all(tokens == 100 for _, tokens in step.prefill)
    policy.MOST = 3
    few = Trusted(policy.schedule).call(
        "schedule", 0.0, [prompt(id, 100) for id in range(200)], [], decodes((300, 9, 9)), engine()
    )
    assert len(few.prefill) == 2


def test_sarathi_serve_never_lets_a_decode_wait() -> None:
    step = ask("sarathi_serve", [prompt(9, 5000)], [prompt(8, 900, 100)], decodes((1, 100, 5), (2, 100, 5)))
    assert step == Step(prefill=[(8, 800), (9, 222)])
    full = ask("sarathi_serve", [prompt(9, 5000)], [], decodes((1, 100, 5)), engine(free=300))
    assert full == Step()  # its whole prompt has no room


def test_shortest_first_goes_by_predictions() -> None:
    step = ask("shortest_first", [prompt(1, 600, predicted=90), prompt(2, 600, predicted=9), prompt(3, 600)])
    assert step.prefill == [(2, 600), (1, 424)]
    assert ask("shortest_first", [prompt(2, 600), prompt(3, 600)]).prefill == [(2, 600), (3, 424)]


def test_virtual_token_counter_serves_who_had_least() -> None:
    policy = load(SEEDS / "virtual_token_counter.py")
    waiting = [prompt(1, 300, tenant=0), prompt(2, 300, tenant=0), prompt(3, 100, tenant=1), prompt(4, 100, tenant=1)]
    step = policy.schedule(0.0, waiting, [], decodes(), engine())
    assert [id for id, _ in step.prefill] == [1, 3, 4, 2]
    assert policy.counters == {0: 600.0, 1: 200.0}
    rows = decodes((1, 300, 50))
    rows[0, [TENANT, PRIORITY]] = 0
    policy.schedule(1.0, [prompt(5, 10, tenant=2)], [], rows, engine())
    assert policy.counters == {0: 700.0, 1: 200.0, 2: 710.0}  # nobody waited: lifted to tenant 0, admitted last
