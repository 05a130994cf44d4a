"""The event-skipping engine against a literal one: the same times, tokens, blocks and preemptions."""

from __future__ import annotations

import random
from collections.abc import Sequence as Several
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from literal_engine import Decide, Literal, Run, Work, vllm
from serving_cases import ToyCost, requests_at_random, served, shared_at_random, toy

from evaluators.serving.cost.deployment import Deployment, deployment
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.step import Chunk, Step
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request


def literal(deployment: Deployment, requests: Several[Request], decide: Decide, sharing: bool, always: bool) -> Literal:
    engine = Literal(
        deployment.cost,
        deployment.kv_blocks,
        deployment.block_size,
        decide,
        sharing=sharing,
        layers=deployment.layers,
        block_seconds=deployment.block_size * deployment.kv_token_bytes / deployment.host_bytes_per_second,
        always=always,
    )
    engine.serve(requests)
    return engine


def assert_same(recorder: Recorder, engine: Literal, exact: bool) -> None:
    """All that the recorder knows follows from the literal engine's histories: to 1e-9, or to the last bit."""

    def same(one: object, other: object) -> None:
        np.testing.assert_allclose(np.array(one), np.array(other), rtol=0 if exact else 1e-9, atol=0)

    columns = recorder.columns()
    runs = [engine.runs[id] for id in columns["id"].tolist()]
    assert len(runs) == len(engine.runs)
    same(columns["admitted_at"], [run.admitted_at for run in runs])
    same(columns["first_token_at"], [run.tokens_at[0] for run in runs])
    same(columns["finished_at"], [run.tokens_at[-1] for run in runs])
    gaps = [np.diff(run.tokens_at) for run in runs]
    same(columns["largest_gap"], [max(each, default=0.0) for each in gaps])
    assert columns["preemptions"].tolist() == [run.preemptions for run in runs]
    assert columns["recomputed_tokens"].tolist() == [run.recomputed for run in runs]
    assert columns["cached_tokens"].tolist() == [run.found for run in runs]
    assert recorder.iterations == len(engine.iterations)
    same(recorder.busy, sum(each.end - each.start for each in engine.iterations))
    assert_same_gaps(recorder, np.concatenate([*gaps, np.empty(0)]))


def assert_same_gaps(recorder: Recorder, gaps: np.ndarray) -> None:
    """The histogram is right to its resolution of 0.25 %."""
    assert recorder.gaps.count == len(gaps)
    if len(gaps):
        assert recorder.gaps.mean == pytest.approx(gaps.mean(), rel=1e-9)
        for share in (0.1, 0.5, 0.9, 1.0):
            true = np.quantile(gaps, share, method="inverted_cdf")
            assert recorder.gaps.quantile(share) == pytest.approx(true, rel=0.0026)


@dataclass(frozen=True)
class Case:
    """What a seed makes of an engine under pressure, and the requests that come to it."""

    deployment: Deployment
    requests: list[Request]
    budget: int
    sequences: int
    sharing: bool
    exact: bool

    @classmethod
    def of(cls, seed: int, sharing: bool, layers: int = 1) -> Case:
        rng = random.Random(f"{seed} {sharing} {layers}")
        size, prompt, output = rng.choice([1, 2, 4, 5]), rng.choice([3, 12, 30]), rng.choice([1, 4, 20])
        exact = rng.random() < 0.7
        cost = ToyCost(weights=rng.choice([0, 4096]), context=rng.choice([0, 4, 64]))
        requests = requests_at_random(rng, rng.randint(1, 14), prompt, output, rng.choice([0, 3000, 30000]), exact)
        if sharing:
            requests = shared_at_random(rng, requests, rng.randint(1, 3))
        largest = max(-(-(each.prompt_tokens + each.output_tokens) // size) for each in requests)
        blocks = largest + rng.choice([0, 1, 3, 10, 40])
        budget, sequences = rng.choice([4, 16, 64, 1000]), rng.choice([1, 2, 4, 8])
        return cls(toy(blocks, size, cost, layers=layers), requests, max(budget, sequences), sequences, sharing, exact)


def compare_vllm(case: Case) -> Literal:
    slow = literal(case.deployment, case.requests, vllm(case.budget, case.sequences), case.sharing, always=True)
    if not slow.disturbed:
        instance = served(case.deployment, VllmV1(case.budget, case.sequences), case.requests, case.sharing)
        assert_same(instance.recorder, slow, case.exact)
    return slow


def test_vllm_without_shared_prefixes() -> None:
    """Chunked prefill, budgets of tokens and sequences, preemption."""
    runs = [run for seed in range(200) for run in compare_vllm(Case.of(seed, sharing=False)).runs.values()]
    assert sum(run.preemptions for run in runs) > 100


def test_vllm_with_a_prefix_cache() -> None:
    """vLLM evicts as it goes through the requests; the engine after all preemptions and look-ups of the iteration.

    Where that makes a difference they go separate ways; in engines as small as these it sometimes does.
    """
    engines = [compare_vllm(Case.of(seed, sharing=True)) for seed in range(260)]
    assert sum(engine.disturbed > 0 for engine in engines) < 0.2 * len(engines)
    runs = [run for engine in engines for run in engine.runs.values()]
    assert sum(run.preemptions for run in runs) > 100
    assert sum(run.found for run in runs) > 1000


@pytest.mark.parametrize(
    "on",
    [deployment("LLaMA-7B", "A10"), deployment("Llama-3.1-70B", "H100", 4), deployment("Qwen3-30B-A3B", "A100")],
    ids=lambda on: on.name,
)
def test_vllm_with_the_costs_of_real_models(on: Deployment) -> None:
    """Skipping relies on a cost that is affine in the context: so are those of the built-in tables."""
    rng = random.Random(on.name)
    small = replace(on, kv_blocks=100, max_batch_tokens=512)
    arrivals = sorted(rng.uniform(0.0, 0.5) for _ in range(12))
    requests = [Request(id, arrival, rng.randint(1, 900), rng.randint(1, 400)) for id, arrival in enumerate(arrivals)]
    engine = compare_vllm(Case(small, requests, 512, 8, sharing=False, exact=False))
    assert sum(run.preemptions for run in engine.runs.values()) > 0


@dataclass(frozen=True)
class Prompt:
    """Of a request that waits or prefills."""

    id: int
    computed: int
    remaining: int
    chunk: int = 0
    layers: int = 0
    swapped: bool = False


@dataclass(frozen=True)
class View:
    """What a scheduler can go by, of either engine."""

    waiting: list[Prompt]
    prefilling: list[Prompt]
    decoding: list[tuple[int, int]]  # id, computed tokens; in the order of admission
    running: list[int]
    free: int
    size: int
    layers: int
    sharing: bool

    def blocks(self, computed: int, tokens: int) -> int:
        return -(-(computed + tokens) // self.size) - -(-computed // self.size)


@dataclass
class AtRandom:
    """Draws legal steps, by the same dice for either engine as long as these show it the same."""

    rng: random.Random
    asked: list[View] = field(default_factory=list)

    def draw(self, view: View) -> Step:
        self.asked.append(view)
        rng, free = self.rng, view.free
        preempt = [id for id in view.running if rng.random() < 0.06]
        if not view.sharing:
            prompts = {each.id: each.computed + each.chunk for each in view.prefilling}
            free += sum(view.blocks(0, tokens) for id, tokens in [*prompts.items(), *view.decoding] if id in preempt)
        decode = rng.random() < 0.9
        decoding = [each for each in view.decoding if each[0] not in preempt]
        hold = [id for id, _computed in decoding if rng.random() < 0.15]
        if decode:
            for id, computed in decoding:
                if id not in hold and view.blocks(computed, 1) > free:
                    hold.append(id)
                elif id not in hold:
                    free -= view.blocks(computed, 1)
        resume, chunks = [], []
        for each in view.waiting:
            if each.swapped and view.blocks(0, each.computed + 1) <= free and rng.random() < 0.5:
                free -= view.blocks(0, each.computed + 1)
                resume.append(each.id)
        prefilling = [each for each in view.prefilling if each.id not in preempt]
        newcomers = [] if view.sharing and preempt else [each for each in view.waiting if not each.swapped]
        for each in rng.sample([*prefilling, *newcomers], len(prefilling) + len(newcomers)):
            tokens = each.chunk or rng.randint(1, each.remaining)
            layers = rng.choice([None, rng.randint(1, view.layers - each.layers)])
            fresh = each in newcomers
            blocks = 0 if each.chunk else view.blocks(0 if fresh else each.computed, tokens + fresh * each.computed)
            if blocks <= free and rng.random() < 0.6:
                free -= blocks
                chunks.append(Chunk(each.id, tokens, layers))
        resumed = [each for each in view.waiting if each.id in resume and not each.remaining]
        if not chunks and not (decode and (len(hold) < len(decoding) or resumed)):
            return self.one_by_one(view)
        return Step(chunks, decode, hold, preempt, rng.random() < 0.5, resume, rng.choice([0, 0, 1, 3]))

    def one_by_one(self, view: View) -> Step:
        """Only who was admitted first goes on, or the first that waits."""
        if view.running:
            chunks = [Chunk(p.id, p.chunk or p.remaining) for p in view.prefilling if p.id == view.running[0]]
            return Step(chunks, preempt=view.running[1:])
        first = view.waiting[0]
        if not first.swapped:
            return Step([Chunk(first.id, first.remaining)])
        return Step([Chunk(first.id, first.remaining)] if first.remaining else [], resume=[first.id])


class EngineAtRandom(AtRandom):
    """As a scheduler of the engine."""

    def schedule(self, now: float, instance: Instance) -> Step:
        instance.decoding.refresh()
        waiting = []
        for id, each in instance.waiting.items():
            computed = each.computed if each.swapped else instance.kv.match(each)
            waiting.append(Prompt(id, computed, max(each.target - computed, 0), swapped=each.swapped))
        prefilling = [
            Prompt(id, each.computed, each.remaining, each.chunk, each.layers)
            for id, each in instance.running.items()
            if id in instance.prefilling
        ]
        decoding = [(id, each.computed) for id, each in instance.running.items() if id not in instance.prefilling]
        size, layers, sharing = (
            instance.deployment.block_size,
            instance.deployment.layers,
            instance.kv.cache is not None,
        )
        free = instance.kv.free
        return self.draw(View(waiting, prefilling, decoding, list(instance.running), free, size, layers, sharing))


class LiteralAtRandom(AtRandom):
    """As a decision of the literal engine."""

    def __call__(self, engine: Literal) -> list[Work]:
        waiting = []
        for run in engine.waiting:
            computed = run.computed if run.swapped else len(engine.findable(run)) * engine.memory.size
            waiting.append(Prompt(run.id, computed, max(run.target - computed, 0), swapped=run.swapped))
        prefilling = [
            Prompt(run.id, run.computed, run.target - run.computed, run.chunk, run.layers)
            for run in engine.running
            if not run.decoding
        ]
        decoding = [(run.id, run.computed) for run in engine.running if run.decoding]
        running, memory = [run.id for run in engine.running], engine.memory
        view = View(waiting, prefilling, decoding, running, memory.free, memory.size, engine.layers, engine.sharing)
        return self.carry_out(engine, self.draw(view))

    def carry_out(self, engine: Literal, step: Step) -> list[Work]:
        for id in step.preempt:
            engine.preempt(engine.runs[id], step.swap)
        for id in step.resume:
            engine.resume(engine.runs[id])
        decodes = [run for run in engine.running if run.decoding and run.id not in step.hold] if step.decode else []
        work = [engine.take(Work(run)) for run in decodes]
        for id, tokens, layers in step.chunks:
            work.append(self.prefill(engine, engine.runs[id], tokens, layers))
        engine.held = bool(step.hold)
        if decodes and not (step.chunks or step.hold or engine.copied):
            engine.patience = (step.iterations or float("inf")) - 1
        return work

    def prefill(self, engine: Literal, run: Run, tokens: int, layers: int | None) -> Work:
        if run in engine.waiting:
            engine.admit(run)
        return engine.take(Work(run, tokens, layers or engine.layers - run.layers))


def compare_at_random(seed: int, case: Case) -> Literal:
    one, other = EngineAtRandom(random.Random(seed)), LiteralAtRandom(random.Random(seed))
    slow = literal(case.deployment, case.requests, other, case.sharing, always=False)
    recorder = served(case.deployment, one, case.requests, case.sharing).recorder
    assert one.asked == other.asked
    assert_same(recorder, slow, case.exact)
    joules = sum(case.deployment.power.watts(each.batch) * (each.end - each.start) for each in slow.iterations)
    assert recorder.joules == pytest.approx(joules, rel=1e-9)
    return slow


@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize("layers", [1, 4])
def test_random_schedulers(sharing: bool, layers: int) -> None:
    """Any mix of chunks, layers, holding, preemption, swapping and waking; asked at the same moments."""
    for seed in range(60):
        compare_at_random(seed, Case.of(seed, sharing, layers))


@pytest.mark.slow
def test_many_more() -> None:
    for seed in range(200, 900):
        for sharing in (False, True):
            compare_vllm(Case.of(seed, sharing))
            for layers in (1, 4):
                compare_at_random(seed, Case.of(seed, sharing, layers))
