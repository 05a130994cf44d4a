"""How many experts a batch activates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluators.serving.cost.experts import activated_experts, expert_bytes_read
from evaluators.serving.cost.models import MODELS

QWEN, MIXTRAL = MODELS["Qwen3-30B-A3B"], MODELS["Mixtral-8x7B"]


@pytest.mark.parametrize("tokens", [1, 3, 20])
def test_the_expectation_is_that_of_drawing_experts(tokens: int) -> None:
    rng = np.random.default_rng(7)
    picks = rng.random((4000, tokens, 8)).argsort(axis=2)[:, :, :2].reshape(4000, -1)
    drawn = [len(set(row)) for row in picks.tolist()]
    assert activated_experts(MIXTRAL, tokens) == pytest.approx(np.mean(drawn), rel=0.02)


def test_one_token_activates_top_k_and_many_all() -> None:
    for model in (QWEN, MIXTRAL):
        for skew in (0.0, 0.6, 1.2):
            assert activated_experts(model, 1, skew) == pytest.approx(model.top_k)
            assert activated_experts(model, 0, skew) == 0.0
        assert activated_experts(model, 4096) == pytest.approx(model.experts)
    assert activated_experts(MODELS["Llama-3.1-8B"], 100) == 0.0


def test_skew_activates_fewer() -> None:
    counts = [activated_experts(QWEN, 64, skew) for skew in (0.0, 0.3, 0.6, 1.2)]
    assert counts == sorted(counts, reverse=True)


def test_at_the_stated_skew_the_busiest_expert_has_eight_times_the_mean_load() -> None:
    popularity = np.arange(1, 129) ** -0.6
    assert popularity.max() / popularity.mean() == pytest.approx(8.0, rel=0.04)


def test_an_expert_is_picked_at_most_once_a_token() -> None:
    crowded = replace(MIXTRAL, experts=4, top_k=3)
    assert activated_experts(crowded, 1, 3.0) == pytest.approx(3.0)
    assert activated_experts(crowded, 10_000, 3.0) == pytest.approx(4.0)


def test_bytes_read_are_those_of_the_activated_experts() -> None:
    whole = MIXTRAL.layers * 8 * 3 * 4096 * 14336 * 2
    assert expert_bytes_read(MIXTRAL, 4096) == pytest.approx(whole)
    assert expert_bytes_read(MIXTRAL, 1) == pytest.approx(whole / 4)
    assert whole < MIXTRAL.weight_bytes
