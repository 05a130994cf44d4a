"""Seed and baselines of prefill scheduling: true to their sources, and the scale that they make."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_cases import UNIT, requests_at_random, toy

from adrs.testing.direct import DirectPolicy
from evaluators.serving.cost.models import find_model
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.metrics import attained
from evaluators.serving.engine.serve import serve
from evaluators.serving.moe_prefill import ServingMoePrefill
from evaluators.serving.moe_prefill.asking import Asking
from evaluators.serving.moe_prefill.interface import Engine, Prompt
from evaluators.serving.moe_prefill.traffic import ExpertRecorder
from evaluators.serving.slo.case import Case

SEEDS = Path(__file__).parents[2] / "seeds" / "serving_moe_prefill"
ALL = sorted(path.stem for path in SEEDS.glob("*.py"))
EMPTY = Engine(
    layers=48, decoding=0, context=0, batch_tokens=16_384, free_blocks=10**6, free_places=256, ttft_slo=1.0, tbt_slo=0.1
)


def policy(name: str) -> DirectPolicy:
    return source(SEEDS / f"{name}.py")


def source(path: Path) -> DirectPolicy:
    return DirectPolicy.from_source(path.read_text())


def ask(name: str, waiting: list[Prompt], prefilling: list[Prompt] | None = None, **engine: int) -> Any:
    return policy(name).call("schedule", 0.0, waiting, prefilling or [], replace_engine(**engine))


def replace_engine(**changes: int) -> Engine:
    fields = {name: getattr(EMPTY, name) for name in EMPTY.__struct_fields__}
    return Engine(**(fields | changes))


def waits(identity: int, tokens: int) -> Prompt:
    return Prompt(identity, 0.0, tokens, 0, 0, 0, -(-tokens // 16))


def begun(identity: int, tokens: int, computed: int = 0, chunk: int = 0, layers: int = 0) -> Prompt:
    return Prompt(identity, 0.0, tokens, computed, chunk, layers, 0)


def test_chunked_prefill_fills_the_budget_behind_the_decodes() -> None:
    assert ask("chunked", [waits(1, 100), waits(2, 900)], [begun(0, 1000, 700)], decoding=40) == [
        (0, 300, 48),
        (1, 100, 48),
        (2, 200, 48),
    ]
    assert ask("chunked", [waits(1, 100)], [], decoding=700) == []
    assert ask("chunked", [waits(1, 100), waits(2, 100)], [], free_blocks=7) == [(1, 100, 48)]
    assert ask("chunked", [waits(1, 100), waits(2, 100)], [], free_places=1) == [(1, 100, 48)]


def test_whole_prompts_are_cut_only_where_they_fill_an_iteration() -> None:
    assert ask("whole_prompts", [waits(1, 9000), waits(2, 9000)]) == [(1, 9000, 48)]
    assert ask("whole_prompts", [waits(1, 20_000)], decoding=84) == [(1, 16_300, 48)]


def test_shortest_first_passes_by_what_does_not_fit() -> None:
    assert ask("shortest_first", [waits(1, 300), waits(2, 100)], [begun(0, 5000, 4900)]) == [
        (0, 100, 48),
        (2, 100, 48),
        (1, 300, 48),
    ]
    assert ask("shortest_first", [waits(1, 300), waits(2, 100)], [], free_blocks=0) == []


@pytest.mark.parametrize(("tokens", "groups"), [(512, 1), (513, 2), (2048, 4), (9000, 18), (16_000, 32)])
def test_layered_prefill_passes_all_layers_in_the_papers_number_of_groups(tokens: int, groups: int) -> None:
    """max(1, ceil(L / 512)) groups that differ by one layer at most."""
    prompt, passed = waits(0, tokens), []
    while sum(passed) < 48:
        waiting, prefilling = ([prompt], []) if not passed else ([], [begun(0, tokens, 0, tokens, sum(passed))])
        ((_, now, layers),) = ask("layered", waiting, prefilling)
        assert now == tokens
        passed.append(layers)
    assert len(passed) == groups
    assert max(passed) - min(passed) <= 1


def test_layered_prefill_takes_short_prompts_together_and_newcomers_wait() -> None:
    together = ask("layered", [waits(0, 1000), waits(1, 500), waits(2, 36)])
    assert together == [(0, 1000, 16), (1, 500, 16), (2, 36, 16)]  # 1,536 tokens: three groups
    under_way = [begun(0, 1000, 0, 1000, 16), begun(1, 500, 0, 500, 16), begun(2, 36, 0, 36, 16)]
    assert ask("layered", [waits(3, 10)], under_way) == together


def test_layered_chunks_end_where_the_chunk_is_full() -> None:
    assert ask("layered_chunks", [waits(0, 3000), waits(1, 3000)]) == [(0, 3000, 6), (1, 1096, 6)]
    assert ask("layered_chunks", [], [begun(1, 3000, 1096)]) == [(1, 1904, 12)]


def test_the_seed_is_chunked_prefill_of_its_budget() -> None:
    assert ask("seed", [waits(0, 700)], decoding=0) == [(0, 512, 48)]
    assert ask("seed", [waits(1, 700)], [begun(0, 700, 512)], decoding=0) == [(0, 188, 48), (1, 512, 30)]
    assert ask("seed", [], [begun(1, 700, 0, 512, 30)], decoding=0) == [(1, 512, 18)]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(4))
def test_every_policy_keeps_the_rules_and_stays_below_the_bound(name: str, seed: int) -> None:
    """In a KV cache that is short of room, with few places, and prompts above the budget of an iteration."""
    requests = [
        replace(each, ttft_slo=30_000 * UNIT, tbt_slo=9_000 * UNIT)
        for each in requests_at_random(random.Random(seed), 40, prompt=300, output=30, spread=8_000)
    ]
    on = toy(kv_blocks=200, layers=6, max_batch_tokens=250, max_sequences=8)
    recorder = ExpertRecorder(find_model("Qwen3-30B-A3B"))
    serve(Instance(on, Asking(policy(name), requests[0], float("inf"), 10**6), recorder), requests)
    assert recorder.finished == 40
    bound = Case(requests, on, cached=False).attainable
    assert attained(recorder.columns()).mean() <= bound <= 1.0


@pytest.mark.slow
def test_there_is_head_room_above_the_published_policies() -> None:
    """A policy that keeps iterations as long as the SLO allows serves more than any of them on unseen traffic."""
    evaluator = ServingMoePrefill()
    rivals = [SEEDS / f"{name}.py" for name in ("layered_chunks", "layered", "shortest_first", "chunked")]
    paced = Path(__file__).parent / "policies" / "moe_prefill_paced.py"
    scores = [
        [evaluator.run(workload, source(path))["slo_attainment"] for path in (paced, *rivals)]
        for workload in evaluator.workloads("test", 20_261)[::4]
    ]
    ours, *theirs = np.mean(scores, axis=0)
    assert ours > max(theirs)
