"""Hostile policies, each with the end it must come to, run among innocent ones through the whole wall.

To add one: put a policy for `machine_interface.py` into attacks/, with `# expect: STATUS...` as its first line. It says
`LEAK` in an assertion when it gets what it wants. A policy that ends as `ok` must score like `FIRST`, whose answers it
gives.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.local import LocalExecutor, evaluate
from adrs.evaluation.outcome import Evaluation, Limits, Listed

HERE = Path(__file__).parent
SPEC = EvaluatorSpec(f"{HERE / 'machine.py'}:Machine")
ATTACKS = {path.stem: path.read_text() for path in sorted((HERE / "attacks").glob("*.py"))}
FIRST = "KEY = 'candidate-canary-564738'\ndef choose(queue, history):\n    return 0\n"
SHORTEST = """
import numpy as np
from interface import Job
def choose(queue: list[Job], history: np.ndarray) -> int:
    mean = np.sum(history) / max(1, len(history))
    return min(range(len(queue)), key=lambda index: abs(queue[index].size - mean) * 0 + queue[index].size)
"""
LIMITS = Limits(cpu_seconds=0.8, call_seconds=0.3, memory_mb=256)
CANARY = re.compile(r"canary-\d")


@dataclass
class Campaign:
    """What came of all attacks, and of the innocent policies before, among and after them."""

    attacks: dict[str, Evaluation]
    before: tuple[Evaluation, Evaluation]
    among: list[tuple[Evaluation, Evaluation]]
    after: tuple[Evaluation, Evaluation]


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    os.environ["ADRS_TEST_CANARY"] = "environment-canary-482913"
    try:
        return asyncio.run(_run_campaign(ATTACKS))
    finally:
        del os.environ["ADRS_TEST_CANARY"]


async def _run_campaign(attacks: Mapping[str, str]) -> Campaign:
    executor = LocalExecutor(SPEC, jobs=2)
    try:
        workload = (await executor.workloads("train"))[0]
        before = await _innocents(executor, workload)
        attacked, among = [], []
        for source in attacks.values():
            attack = asyncio.create_task(executor.submit(source, workload, LIMITS))
            among.append(await _innocents(executor, workload))
            attacked.append(await attack)
        after = await _innocents(executor, workload)
        return Campaign(dict(zip(attacks, attacked, strict=True)), before, among, after)
    finally:
        await executor.close()


async def _innocents(executor: LocalExecutor, workload: Listed) -> tuple[Evaluation, Evaluation]:
    return await executor.submit(FIRST, workload, LIMITS), await executor.submit(SHORTEST, workload, LIMITS)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_ends_as_it_must(campaign: Campaign, name: str) -> None:
    evaluation = campaign.attacks[name]
    expected = ATTACKS[name].splitlines()[0].removeprefix("# expect: ").split()
    assert evaluation.status in expected, evaluation
    assert not evaluation.error.startswith("AssertionError")
    assert not CANARY.search(json.dumps([evaluation.error, dict(evaluation.metrics)]))
    assert evaluation.metrics == (campaign.before[0].metrics if evaluation.status == "ok" else {})


@pytest.mark.parametrize("name", ATTACKS)
def test_message_is_fit_for_a_prompt(campaign: Campaign, name: str) -> None:
    evaluation = campaign.attacks[name]
    assert bool(evaluation.error) == (evaluation.status != "ok")
    assert len(evaluation.error) <= 1500
    assert evaluation.error.isprintable()
    assert not re.search(r"0x[0-9a-f]{6}", evaluation.error)


def test_innocent_policies_score_as_alone(campaign: Campaign) -> None:
    first, shortest = campaign.before
    assert first.status == shortest.status == "ok"
    assert shortest.metrics["score"] > first.metrics["score"]
    for pair in (*campaign.among, campaign.after):
        assert [(one.status, one.metrics, one.error) for one in pair] == [
            (one.status, one.metrics, one.error) for one in campaign.before
        ]


@pytest.mark.parametrize("name", ["list_directories", "read_evaluator_from_disk", "read_own_proc"])
def test_attacks_are_real(name: str) -> None:
    """Without the jail they get what they want."""
    [(_, evaluation), *_] = evaluate(SPEC, ATTACKS[name], limits=LIMITS, sandbox="none")
    assert evaluation.error.startswith("AssertionError: LEAK")


def test_corpus_is_large_and_every_attack_says_its_end() -> None:
    assert len(ATTACKS) >= 40
    assert all(source.startswith("# expect: ") for source in ATTACKS.values())
