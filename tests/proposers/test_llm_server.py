"""The scripted server as its own process: what campaigns and benchmarks rely on."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from proposers import llm_server
from proposers.llm_cases import SOURCE, MemoryJournal, request
from proposers.llm_server import HOSTED, mutated, parent_of

from adrs.proposers.base import Proposal
from adrs.proposers.edits import apply_reply
from adrs.proposers.llm import LlmConfig, LlmProposer, prompt


def test_as_a_process_it_mutates_and_logs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [
        sys.executable,
        llm_server.__file__,
        "--port",
        "0",
        "--print-port",
        "--mode",
        "mutate",
        "--log",
        str(log),
    ]
    journals = [MemoryJournal(first=slot * 10) for slot in range(6)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        proposals = asyncio.run(_propose(f"http://127.0.0.1:{port}/v1", journals))
        process.terminate()
    assert all(proposal.status == "ok" and proposal.source != SOURCE for proposal in proposals)
    assert len({proposal.source for proposal in proposals}) > 1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    names = {f"adrs-{slot}-{slot * 10}" for slot in range(6)}
    for event in ("request", "answered"):
        assert {line["client_id"] for line in lines if line["event"] == event} == names
    assert all(line["seconds"] >= 0 for line in lines)
    assert len({line["id"] for line in lines}) == 6 and all(line["time"] > 1.7e9 for line in lines)


async def _propose(base_url: str, journals: list[MemoryJournal]) -> list[Proposal]:
    proposer = LlmProposer(LlmConfig("mutant", base_url))
    try:
        slots = (proposer.propose(request(journal, slot)) for slot, journal in enumerate(journals))
        return await asyncio.gather(*slots)
    finally:
        await proposer.close()


def test_it_finds_the_parent_in_a_prompt() -> None:
    assert parent_of({"messages": prompt.build(request(), 24_000)}) == SOURCE


@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        "def f():\n    return 1\n",
        "def f():\n    x = 1\n    y = 1\n    return 0x1F + 1_000 + 2j\n",
        "def f():\n    return x\n",
        "A = 1\n# EVOLVE-BLOCK-START\nB = 1\n# EVOLVE-BLOCK-END\nC = 1\n",
    ],
)
def test_its_mutations_apply(source: str) -> None:
    for seed in range(30):
        assert apply_reply(source, mutated(source, random.Random(seed))) != source


def test_latency_is_log_normal_with_a_tail() -> None:
    latency = HOSTED
    drawn = [latency.draw(n) for n in range(5000)]
    logs = sorted(drawn)
    assert statistics.median(drawn) == pytest.approx(2.0, rel=0.05)
    assert drawn.count(60.0) / len(drawn) == pytest.approx(0.01, abs=0.004)
    assert logs[int(0.8413 * 0.99 * len(logs))] / 2.0 == pytest.approx(2.718281828**0.6, rel=0.08)
    assert latency.draw(17) == latency.draw(17)
