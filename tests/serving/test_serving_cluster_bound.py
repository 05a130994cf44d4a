"""No dispatcher goes below the bounds, and they are reached where nothing is in the way."""

from __future__ import annotations

import random

import numpy as np
import pytest
from cluster_cases import Random, even, setting
from serving_cases import requests_at_random, shared_at_random

from evaluators.serving.cluster.bound import Least, bounds
from evaluators.serving.cluster.reuse import NEVER, Reuse
from evaluators.serving.cluster.round_robin import RoundRobin
from evaluators.serving.cluster.simulator import Cluster
from evaluators.serving.cluster.workloads import FAMILIAR, SHIFTED, VALIDATION_ONLY
from evaluators.serving.cost.batch import Batch
from evaluators.serving.request import Request, Segment


@pytest.mark.parametrize("seed", range(8))
def test_no_run_goes_below(seed: int) -> None:
    """Streams of all loads, with and without shared prefixes, under decisions at random and in turn."""
    rng = random.Random(seed)
    sharing = seed % 2 == 0
    deployment = even(kv_blocks=90, max_batch_tokens=rng.choice([20, 60, 3000]), max_sequences=10)
    requests = requests_at_random(rng, 80, 50, 60, rng.choice([500, 8000, 60_000]))
    requests = shared_at_random(rng, requests, 3) if sharing else requests
    limits = bounds(deployment, requests, sharing)
    for dispatcher in (RoundRobin(), Random(rng), Random(rng, moves=0.1, scales=0.6)):
        cluster = Cluster(setting(deployment, 3, ready=2, prefix_cache=sharing, load_seconds=0.01), dispatcher)
        outcome = cluster.run(requests)
        assert np.all(outcome.ttft >= limits.ttft[outcome.ids] - 1e-9)
        assert np.all(outcome.e2e >= limits.e2e[outcome.ids] - 1e-9)
        assert outcome.instance_seconds >= limits.instance_seconds - 1e-9


def test_a_request_alone_reaches_its_bound() -> None:
    deployment = even(max_batch_tokens=1000)
    requests = [Request(id, 10.0 * id, prompt, 30) for id, prompt in enumerate([1, 7, 40, 41, 42, 60, 600])]
    outcome = Cluster(setting(deployment, 1, tick=1e9), RoundRobin()).run(requests)
    limits = bounds(deployment, requests, prefix_cache=False)
    one_pass = [id for id, request in enumerate(requests) if request.prompt_tokens <= 40]
    assert outcome.ttft[one_pass] == pytest.approx(limits.ttft[one_pass])
    assert outcome.e2e - outcome.ttft == pytest.approx(limits.e2e - limits.ttft)
    assert np.all(limits.ttft >= 0.5 * outcome.ttft)
    assert limits.instance_seconds == pytest.approx(60.0 + limits.e2e[-1])


@pytest.mark.parametrize("budget", [3, 5, 12])
def test_no_way_to_cut_a_prompt_is_faster(budget: int) -> None:
    """All ways to cut prompts of up to 12 tokens into chunks, exhaustively."""
    deployment = even(max_batch_tokens=budget)
    cost = deployment.cost
    alone = Least(deployment)
    for prompt in range(1, 13):
        for cached in range(prompt):
            best = _fastest(cost, prompt, cached, budget)
            assert alone.prefill(prompt, cached) <= best + 1e-12


def _fastest(cost: object, prompt: int, cached: int, budget: int) -> float:
    if cached == prompt:
        return 0.0
    seconds = []
    for tokens in range(1, min(budget, prompt - cached) + 1):
        last = cached + tokens == prompt
        batch = Batch(tokens, 1, int(last), tokens * (tokens + 2 * cached), cached)
        once = cost.overhead(batch) + cost.layers(batch)  # type: ignore[attr-defined]
        seconds.append(once + _fastest(cost, prompt, cached + tokens, budget))
    return min(seconds)


def test_memory_bounds_instance_seconds() -> None:
    """So many long answers that one instance's memory could not hold them in the time that they take alone."""
    deployment = even(kv_blocks=60, max_batch_tokens=1000)
    requests = [Request(id, 0.0, 20, 200) for id in range(30)]
    limits = bounds(deployment, requests, prefix_cache=False)
    longest = float(limits.e2e.max())
    assert limits.instance_seconds > 8 * longest
    outcome = Cluster(setting(deployment, 30, tick=1e9), RoundRobin()).run(requests)
    assert outcome.instance_seconds >= limits.instance_seconds


# What others may leave in the cache


def test_reuse_by_hand() -> None:
    system, chat, other = 1, 2, 3
    requests = [
        Request(0, 0.0, 50, 10, (Segment(system, 30), Segment(chat, 20))),
        Request(1, 1.0, 36, 10, (Segment(system, 30), Segment(other, 6))),
        Request(2, 5.0, 70, 10, (Segment(system, 30), Segment(chat, 40))),
        Request(3, 7.0, 99, 10),
    ]
    reuse = Reuse(requests, block_size=4)
    assert reuse.of_prompt(0) == (0, 48, 1.0)  # nobody was before; the system prompt comes again at 1 s, all at 5 s
    assert reuse.of_prompt(1) == (28, 28, NEVER)
    assert reuse.of_prompt(2) == (60, 60, NEVER)  # the first turn and its answer
    assert reuse.of_prompt(3) == (0, 0, NEVER)


@pytest.mark.parametrize("seed", range(5))
def test_reuse_is_what_comparing_token_by_token_says(seed: int) -> None:
    rng = random.Random(seed)
    requests = shared_at_random(rng, requests_at_random(rng, 40, 30, 12, 4000), 3)
    reuse = Reuse(requests, 4)

    def text(request: Request, answered: bool) -> list[object]:
        """All tokens by stream and place; those that nobody shares are unique."""
        tokens: list[object] = [(key, place) for key, length in request.prefix for place in range(length)]
        if not request.prefix:
            return [(request.id, "own", place) for place in range(request.prompt_tokens)]
        last, length = request.prefix[-1]
        return tokens + [(last, length + place) for place in range(request.output_tokens)] if answered else tokens

    for place, request in enumerate(requests):
        mine = text(request, answered=False)
        common = []
        for other in requests:
            theirs = text(other, answered=True)
            same = next(
                (i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]),
                min(len(mine), len(theirs)),
            )
            common.append(min(same, request.prompt_tokens - 1) // 4 * 4)
        before = max(common[:place], default=0)
        others = max(common[:place] + common[place + 1 :])
        cached, shared, wait = reuse.of_prompt(place)
        assert cached >= before and shared >= others
        assert wait <= min(
            (requests[i].arrival - request.arrival for i in range(place + 1, 40) if common[i] > cached), default=NEVER
        )
        assert cached == before or len(request.prefix) > 1  # the longest of each stream, which may be of two requests


@pytest.mark.parametrize("regime", [*FAMILIAR, *VALIDATION_ONLY, *SHIFTED])
def test_the_premise_holds_more_work_never_takes_less(regime: str) -> None:
    """The deployments of the workloads: a part of a batch is never slower than the batch."""
    deployment = {**FAMILIAR, **VALIDATION_ONLY, **SHIFTED}[regime].setting().deployment
    cost, rng = deployment.cost, random.Random(1)
    for _ in range(300):
        part = _batch(rng)
        more = _batch(rng)
        whole = Batch(*(getattr(part, name) + getattr(more, name) for name in Batch.__slots__))
        assert cost.overhead(part) <= cost.overhead(whole) and cost.layers(part) <= cost.layers(whole) + 1e-12


def _batch(rng: random.Random) -> Batch:
    chunks, decodes = rng.choice([(0, 3), (1, 0), (1, 5), (2, 40), (0, 100)])
    tokens = [rng.randint(1, 900) for _ in range(chunks)]
    behind = [rng.randint(0, 3000) for _ in range(chunks)]
    pairs = sum(c * (c + 2 * s) for c, s in zip(tokens, behind, strict=True))
    sampled = rng.randint(0, chunks) + decodes
    return Batch(
        sum(tokens) + decodes, chunks + decodes, sampled, pairs, sum(behind), decodes, decodes * rng.randint(1, 900)
    )
