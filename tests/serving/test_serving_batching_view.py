"""What policies of serving_batching are shown: the engine as it is, kept up to date, and nothing of the future."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from serving.batching_cases import POLICIES, Trusted, seed, served_by
from serving.serving_cases import requests_at_random, shared_at_random, toy

from evaluators.serving.batching.interface import (
    ARRIVED,
    FREES,
    GENERATED,
    ID,
    LAST_TOKEN,
    PREDICTED,
    PRIORITY,
    PROMPT,
    TBT_SLO,
    TENANT,
    Engine,
    Prompt,
    Step,
)
from evaluators.serving.batching.view import WINDOW
from evaluators.serving.engine.blocks import blocks_of
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.sequence import Sequence


class AtRandom:
    """Legal steps of all kinds, drawn at random; before each, what is shown is compared with the engine."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.instance: Instance | None = None
        self.asked = 0
        self.kinds: set[str] = set()

    def schedule(
        self, now: float, waiting: list[Prompt], prefilling: list[Prompt], decoding: Any, engine: Engine
    ) -> Step:
        assert self.instance is not None
        self.asked += 1
        compare(self.instance, now, waiting, prefilling, decoding, engine)
        return self.step(waiting, prefilling, decoding, engine)

    def step(self, waiting: list[Prompt], prefilling: list[Prompt], decoding: Any, engine: Engine) -> Step:
        """Where blocks are short some stop; else whatever is allowed, and at least one token."""
        rng, step = self.rng, Step(iterations=self.rng.choice([0, 0, 1, 3]), swap=self.rng.random() < 0.5)
        rows = decoding.tolist()
        rng.shuffle(rows)
        free = self.preempt(step, rows, prefilling, engine)
        while len(rows) > 1 and rng.random() < 0.2:
            step.hold.append(int(rows.pop()[ID]))
        stopped = set(step.preempt)
        running = [request for request in prefilling if request.id not in stopped]
        for request in running + ([] if stopped else waiting):
            tokens = 0 if request.swapped else rng.randint(1, request.tokens - request.computed)
            blocks = blocks_of(request.computed + tokens, engine.block_size) - request.blocks + request.swapped
            if blocks > free or rng.random() < 0.3:
                continue
            free -= blocks
            if request.swapped:
                step.resume.append(request.id)
            else:
                step.prefill.append((request.id, tokens))
        self.kinds |= {name for name in ("prefill", "hold", "preempt", "resume") if getattr(step, name)}
        return step if step.prefill or rows else self.one_token(waiting, prefilling)

    def preempt(self, step: Step, rows: list[list[float]], prefilling: list[Prompt], engine: Engine) -> int:
        """Free blocks once enough have stopped, and some more."""
        free = engine.free - engine.needed
        while rows and (free < 0 or self.rng.random() < 0.1):
            row = rows.pop()
            step.preempt.append(int(row[ID]))
            free += int(row[FREES])
        for request in prefilling:
            if self.rng.random() < 0.1:
                step.preempt.append(request.id)
                free += request.frees
        return free

    def one_token(self, waiting: list[Prompt], prefilling: list[Prompt]) -> Step:
        """All who prefill stop but one, which goes on; or somebody starts."""
        if prefilling:
            return Step(preempt=[request.id for request in prefilling[1:]], prefill=[(prefilling[0].id, 1)])
        fresh = [request for request in waiting if not request.swapped]
        swapped = [request for request in waiting if request.swapped]
        if swapped and swapped[0].computed == swapped[0].tokens + swapped[0].generated - 1:
            return Step(resume=[swapped[0].id])
        if fresh:
            return Step(prefill=[(fresh[0].id, 1)])
        return Step(resume=[swapped[0].id], prefill=[(swapped[0].id, 1)])


def compare(instance: Instance, now: float, waiting: Any, prefilling: Any, decoding: Any, engine: Engine) -> None:
    """What is shown, against the engine's own sequences."""
    kv = instance.kv
    assert now == instance.clock
    assert engine.free == kv.free and engine.needed == instance.decoding.blocks(1)
    assert engine.waiting == len(instance.waiting)
    assert [request.id for request in waiting] == list(instance.waiting)[:WINDOW]
    assert [request.id for request in prefilling] == list(instance.prefilling)
    for request in waiting:
        sequence = instance.waiting[request.id]
        compare_prompt(request, sequence)
        assert request.computed == (sequence.computed if sequence.swapped else kv.match(sequence))
        if not sequence.swapped:
            assert blocks_of(request.computed + 1, kv.block_size) - request.blocks == kv.need(sequence, 1)
    for request in prefilling:
        compare_prompt(request, instance.prefilling[request.id])
        assert request.computed == instance.prefilling[request.id].computed
    instance.decoding.refresh()
    members = instance.decoding.members
    assert decoding[:, ID].tolist() == list(members)
    for row in decoding.tolist():
        sequence = members[int(row[ID])]
        request = sequence.request
        assert (row[ARRIVED], row[PROMPT], row[PRIORITY]) == (request.arrival, request.prompt_tokens, request.priority)
        assert (row[TBT_SLO], row[TENANT], row[PREDICTED]) == (request.tbt_slo, request.tenant, -1)
        assert row[GENERATED] == sequence.generated
        assert row[PROMPT] + row[GENERATED] - 1 == sequence.computed
        assert row[LAST_TOKEN] == instance.decoding.last_token_at(sequence)
        assert row[FREES] == kv.frees(sequence)


def compare_prompt(request: Prompt, sequence: Sequence) -> None:
    assert (request.tokens, request.generated) == (sequence.target, sequence.generated)
    assert (request.preemptions, request.swapped) == (sequence.preemptions, sequence.swapped)
    assert request.last_token == (sequence.last_token_at if sequence.generated else sequence.request.arrival)


@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_what_is_shown_is_what_is_there(number: int, sharing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(number)
    requests = requests_at_random(rng, 60, 30, 40, 20_000)
    if sharing:
        requests = shared_at_random(rng, requests, 3)
    policy = AtRandom(number)
    original = Instance.__init__

    def remember(self: Instance, *arguments: Any) -> None:
        original(self, *arguments)
        policy.instance = self

    monkeypatch.setattr(Instance, "__init__", remember)
    instance = served_by(Trusted(policy.schedule), toy(kv_blocks=60), requests, sharing)
    assert instance.recorder.finished == len(requests)
    assert policy.asked > 100
    assert policy.kinds == {"prefill", "hold", "preempt", "resume"}


def test_the_queue_is_shown_as_far_as_the_window_goes() -> None:
    shown = []

    def schedule(now: float, waiting: list[Prompt], prefilling: Any, decoding: Any, engine: Engine) -> Step:
        shown.append((len(waiting), engine.waiting))
        return Step(prefill=[(waiting[0].id, waiting[0].tokens)])

    requests = [replace(request, arrival=0.0) for request in requests_at_random(random.Random(0), 100, 9, 9, 1)]
    served_by(Trusted(schedule), toy(), requests)
    assert shown[0] == (WINDOW, 100) and shown[-1] == (1, 1)


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_of_the_future_is_shown(name: str) -> None:
    """Two streams that differ in the lengths of answers, and in what comes later, look the same until they differ."""
    rng = random.Random(7)
    requests = requests_at_random(rng, 40, 30, 4, 20_000)
    requests = [replace(request, output_tokens=1000 + request.id) for request in requests]
    half = requests[20].arrival
    others = [
        replace(
            request, output_tokens=2000 + 3 * request.id, arrival=request.arrival + (5.0 if request.id >= 20 else 0.0)
        )
        for request in requests
    ]
    one, other = (list(calls_until(name, stream, half)) for stream in (requests, others))
    assert len(one) > 10
    assert one == other


def test_no_length_of_an_answer_is_among_what_is_shown() -> None:
    secret = 701
    requests = requests_at_random(random.Random(1), 3, 30, 1, 20_000)
    seen: set[float] = set()
    policy = seed("vllm_v1")

    def schedule(*arguments: Any) -> Step:
        for argument in arguments:
            seen.update(numbers(argument))
        prefill, rows = policy.schedule(*arguments).prefill, arguments[3][:, ID].astype(int).tolist()
        return Step(prefill, hold=rows[:1] if prefill or rows[1:] else [])  # so that every iteration is asked for

    requests = [replace(request, output_tokens=secret) for request in requests]
    instance = served_by(Trusted(schedule), toy(kv_blocks=600), requests)
    assert instance.recorder.finished == 3
    assert len(seen) > 1000
    assert secret not in seen


def calls_until(name: str, requests: list[Any], end: float) -> Iterator[list[float]]:
    """All numbers of each call before a time."""
    policy, calls = seed(name), []

    def schedule(*arguments: Any) -> Step:
        if arguments[0] < end:
            calls.append([each for argument in arguments for each in numbers(argument)])
        return policy.schedule(*arguments)

    served_by(Trusted(schedule), toy(kv_blocks=60_000), requests)
    yield from calls


def numbers(value: Any) -> Iterator[float]:
    """Every number in what is shown, however deep."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.astuple(value)
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    if isinstance(value, (list, tuple, set)):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, dict):
        yield from numbers([*value, *value.values()])
    elif isinstance(value, (int, float)):
        yield value
    else:
        raise AssertionError(f"not searched: {value!r}")
