"""The formula of an iteration's duration: what it may depend on, and on what not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.builtin import DERIVED, TABLES, builtin_profile
from evaluators.serving.cost.measurements import chunk, decoding, together
from evaluators.serving.cost.profile import Attention, Grid, Profile

BUILTIN = (*TABLES, *DERIVED)
KINDS = [("Llama-3.1-8B", "A100", 1), ("Qwen3-30B-A3B", "H100", 1), ("LLaMA-7B", "A10", 1)]  # dense, experts, derived
sizes = st.integers(0, 6000)


def seconds(profile: Profile, batch: Batch) -> float:
    return profile.overhead(batch) + profile.layers(batch)


def attention_seconds(profile: Profile, batch: Batch) -> float:
    """Beside the launch, which every iteration pays."""
    rest = profile.linear(batch.tokens) + profile.experts(batch.tokens) + profile.attention.launch
    return profile.layers(batch) - rest


def test_a_grid_is_its_nodes_and_lines_between_and_beyond_them() -> None:
    grid = Grid((4, 8, 16), (1.0, 3.0, 5.0))
    assert [grid(size) for size in (0, 1, 4, 6, 8, 12, 16, 20)] == [0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert grid.table(20) == [grid(size) for size in range(21)]


def test_a_grid_never_falls_where_a_measurement_does() -> None:
    grid = Grid((1, 2, 3), (2.0, 1.0, 3.0))
    assert [grid(size) for size in (1, 2, 3)] == [2.0, 2.0, 3.0]


@pytest.mark.parametrize("key", KINDS, ids=str)
@settings(max_examples=25, derandomize=True, deadline=None)
@given(prompt=st.integers(2, 20_000), cuts=st.lists(st.integers(1, 19_999), max_size=6))
def test_attention_costs_the_same_in_chunks_but_for_what_they_read_again(
    key: tuple[str, str, int], prompt: int, cuts: list[int]
) -> None:
    profile = builtin_profile(*key)
    starts = sorted({0, *(cut for cut in cuts if cut < prompt)})
    chunks = [chunk(start, end - start) for start, end in zip(starts, [*starts[1:], prompt], strict=True)]
    apart = sum(attention_seconds(profile, each) for each in chunks)
    read_again = profile.attention.reread * sum(starts)
    assert apart == pytest.approx(attention_seconds(profile, chunk(0, prompt)) + read_again, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("key", BUILTIN, ids=str)
def test_a_mixed_step_reads_the_weights_once(key: tuple[str, str, int]) -> None:
    profile = builtin_profile(*key)
    prompt, decodes = chunk(0, 64), decoding(16, 500)
    saved = seconds(profile, prompt) + seconds(profile, decodes) - seconds(profile, together(prompt, decodes))
    weights = profile.linear(1)
    assert weights < saved < 2 * weights + profile.experts(64) + profile.step + 2e-3


@pytest.mark.parametrize("key", KINDS, ids=str)
@settings(max_examples=40, derandomize=True, deadline=None)
@given(before=sizes, tokens=sizes, decodes=st.integers(0, 600), context=sizes)
def test_more_of_anything_is_never_cheaper(
    key: tuple[str, str, int], before: int, tokens: int, decodes: int, context: int
) -> None:
    profile = builtin_profile(*key)

    def cost(before: int, tokens: int, decodes: int, context: int) -> float:
        prompt = chunk(before, tokens) if tokens else Batch()
        return seconds(profile, together(prompt, decoding(decodes, context)))

    base = cost(before, tokens, decodes, context)
    for more in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        each = [value + step for value, step in zip((before, tokens, decodes, context), more, strict=True)]
        assert cost(*each) >= base


@pytest.mark.parametrize("key", BUILTIN, ids=str)
def test_a_stretch_of_decodes_sums_up_in_closed_form(key: tuple[str, str, int]) -> None:
    profile = builtin_profile(*key)
    one_by_one = sum(seconds(profile, decoding(40, 700 + i)) for i in range(50))
    first, slope = seconds(profile, decoding(40, 700)), profile.context_slope(40)
    assert 50 * first + slope * 40 * 50 * 49 / 2 == pytest.approx(one_by_one, rel=1e-12)


def test_nothing_through_the_layers_costs_nothing() -> None:
    assert builtin_profile("Mixtral-8x7B", "H100", 2).layers(Batch()) == 0.0


def test_the_formula_term_by_term() -> None:
    attention = Attention(launch=1.0, pair=0.5, reread=0.25, sequence=2.0, context=0.125, mixed=3.0)
    linear, experts = Grid((1, 101), (10.0, 110.0)), Grid((1, 101), (1.0, 1001.0))
    profile = Profile(7.0, 3.0, Grid((1, 11), (4.0, 24.0)), linear, attention, experts)
    prompt, decodes = chunk(8, 4), decoding(5, 6)
    assert profile.layers(prompt) == 13.0 + 31.0 + 1.0 + 0.5 * (12**2 - 8**2) + 0.25 * 8
    assert profile.layers(decodes) == 14.0 + 41.0 + 1.0 + 2.0 * 5 + 0.125 * 30
    both = profile.layers(together(prompt, decodes))
    assert both == 18.0 + 81.0 + 1.0 + 0.5 * 80 + 0.25 * 8 + 2.0 * 5 + 3.0 * 0.125 * 30
    assert profile.overhead(together(prompt, decodes)) == 7.0 + 3.0 * 6 + 14.0


def test_beyond_the_tables_the_grids_go_on() -> None:
    profile = builtin_profile("Qwen3-30B-A3B", "H100", 1)
    batch = chunk(0, 5000)
    assert attention_seconds(profile, batch) == pytest.approx(profile.attention.pair * batch.pairs)
    inside, outside = decoding(512, 10), decoding(513, 10)
    assert 0 < profile.overhead(outside) - profile.overhead(inside) < 1e-3
