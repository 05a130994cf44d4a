"""The built-in profiles against the figures of their sources."""

from __future__ import annotations

import logging
import re

import pytest

from adrs.errors import InputError
from evaluators.serving.cost.aiconfigurator import Source, measure
from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.builtin import HOST, TABLES, builtin_profile, table_path
from evaluators.serving.cost.measurements import chunk, decoding
from evaluators.serving.cost.profile import Profile
from evaluators.serving.cost.recorded import read_measurements

# Milliseconds of kernels, fitted elsewhere to aiconfigurator's vLLM tables over other batches: a decoding step is
# a + b sequences + c sequences x thousand tokens of each, a prefill of k thousand tokens p + q k + r k^2.
FITS = {
    ("Llama-3.1-8B", "H100", 1): ((6.29, 0.0129, 0.0409), (4.9, 16.6, 0.70)),
    ("Llama-3.1-8B", "A100", 1): ((11.7, 0.0281, 0.0842), (7.5, 54.6, 1.54)),
    ("Llama-3.1-70B", "H100", 4): ((15.2, 0.0326, 0.0262), (12.1, 54.7, 1.03)),
    ("Llama-3.1-70B", "A100", 4): ((27.5, 0.0983, 0.0588), (18.5, 157, 1.21)),
    ("Qwen3-32B", "H100", 2): ((13.5, 0.0271, 0.0422), (12.2, 41.7, 1.49)),
}
# Mixtures, from the same tables: decoding 1 to 256 sequences of 2,048 tokens; prompts of 128, 512, 2,048
# and 8,192 tokens.
DECODES, PROMPTS = (1, 8, 32, 64, 128, 256), (128, 512, 2048, 8192)
GRIDS = {
    ("Qwen3-30B-A3B", "H100", 1): ((4.7, 10.6, 21.9, 26.2, 32.3, 42.4), (25.6, 28.7, 46.0, 153)),
    ("Mixtral-8x7B", "H100", 2): ((6.3, 17.5, 19.8, 25.5, 26.4, 32.0), (21.3, 25.6, 54.0, 198.6)),
    ("Mixtral-8x7B", "A100", 2): ((10.7, 28.0, 34.1, 39.2, 43.1, 58.2), (32.4, 50.9, 175, 675)),
}


def kernel_ms(profile: Profile, batch: Batch) -> float:
    """Without the host."""
    return 1000 * (profile.layers(batch) + profile.head(batch.sampled))


@pytest.mark.parametrize("key", FITS, ids=str)
def test_decoding_is_that_of_the_source(key: tuple[str, str, int]) -> None:
    (fixed, sequence, context), _ = FITS[key]
    for sequences in (1, 32, 128, 256):
        for tokens in (512, 1024, 4096):
            figure = fixed + sequence * sequences + context * sequences * tokens / 1000
            assert kernel_ms(builtin_profile(*key), decoding(sequences, tokens)) == pytest.approx(figure, rel=0.13)


@pytest.mark.parametrize("key", FITS, ids=str)
def test_prefill_is_that_of_the_source(key: tuple[str, str, int]) -> None:
    _, (fixed, linear, square) = FITS[key]
    for tokens in (1024, 2048, 4096, 8192):
        figure = fixed + linear * tokens / 1000 + square * (tokens / 1000) ** 2
        assert kernel_ms(builtin_profile(*key), chunk(0, tokens)) == pytest.approx(figure, rel=0.12)


@pytest.mark.parametrize("key", GRIDS, ids=str)
def test_mixtures_saturate_as_the_source_does(key: tuple[str, str, int]) -> None:
    decodes, prompts = GRIDS[key]
    profile = builtin_profile(*key)
    assert [kernel_ms(profile, decoding(n, 2048)) for n in DECODES] == pytest.approx(decodes, rel=0.08)
    assert [kernel_ms(profile, chunk(0, tokens)) for tokens in PROMPTS] == pytest.approx(prompts, rel=0.08)


@pytest.mark.parametrize("key", TABLES, ids=str)
def test_the_grids_are_their_tables(key: tuple[str, str, int]) -> None:
    profile, table = builtin_profile(*key), read_measurements(table_path(*key))
    for grid, measured in ((profile.linear, table.linear), (profile.experts, table.experts)):
        for size, seconds in zip(measured.sizes, measured.seconds, strict=True):
            assert seconds <= grid(size) <= 1.11 * seconds  # above where a smaller batch took longer


@pytest.mark.parametrize("key", TABLES, ids=str)
def test_the_fitted_attention_is_near_what_was_measured(key: tuple[str, str, int]) -> None:
    profile, table = builtin_profile(*key), read_measurements(table_path(*key))
    errors = []
    for time in table.attention:
        rest = profile.linear(time.batch.tokens) + profile.experts(time.batch.tokens)
        errors.append(abs(profile.layers(time.batch) - rest - time.seconds) / (rest + time.seconds))
    assert sum(errors) / len(errors) < 0.03
    assert max(errors) < 0.16


@pytest.mark.parametrize("model", HOST)
def test_time_between_tokens_exceeds_the_kernels_as_the_mlenergy_benchmark_measured(model: str) -> None:
    key = next(key for key in TABLES if key[0] == model)
    profile, batch = builtin_profile(*key), decoding(100, 1000)
    whole = 1000 * (profile.layers(batch) + profile.overhead(batch))
    assert whole - kernel_ms(profile, batch) == pytest.approx(HOST[model].step + 100 * HOST[model].sequence)


def test_models_with_the_same_layers_differ_in_the_head_alone() -> None:
    small, large = builtin_profile("Mistral-7B", "A100", 1), builtin_profile("Llama-3.1-8B", "A100", 1)
    batch = decoding(64, 1000)
    assert small.layers(batch) == large.layers(batch)
    assert small.head(64) == pytest.approx(large.head(64) * 32000 / 128256)


def test_llama_7b_on_a10_stays_within_what_the_card_can_do() -> None:
    profile = builtin_profile("LLaMA-7B", "A10", 1)
    weights, kv = 32 * 2 * (4 * 4096**2 + 3 * 4096 * 11008), 2 * 32 * 4096 * 2
    assert profile.linear(1) > weights / 0.6e12
    assert profile.context_slope(1) > kv / 0.6e12
    assert profile.linear(2048) > 2048 * weights / 125e12  # two operations and two bytes a weight
    assert 1.0 < profile.linear(1) / (weights / 0.6e12) < 1.6
    assert 1.0 < profile.linear(2048) / (2048 * weights / 125e12) < 2.0


@pytest.mark.parametrize("gpu", ["A100", "H100"])
@pytest.mark.parametrize("model, gpus", sorted({(model, gpus) for model, _, gpus in TABLES}))
def test_an_h100_is_faster_and_both_are_slower_than_their_memory(model: str, gpus: int, gpu: str) -> None:
    faster, slower = builtin_profile(model, "H100", gpus), builtin_profile(model, "A100", gpus)
    batch = decoding(64, 1000)
    assert 1.3 < slower.layers(batch) / faster.layers(batch) < 2.6


def test_an_unknown_pair_names_those_that_there_are() -> None:
    with pytest.raises(
        InputError, match=r"no built-in profile of Llama-3.1-8B on 8 A10; there are Llama-3.1-8B on 1 A100"
    ):
        builtin_profile("Llama-3.1-8B", "A10", 8)


@pytest.mark.slow  # it reads its tables for two seconds
def test_the_tables_are_those_of_aiconfigurator() -> None:
    pytest.importorskip("aiconfigurator_core", reason="the extra `gpu` is not installed")
    measured = measure(Source("meta-llama/Meta-Llama-3.1-8B", "h100_sxm"))
    table = read_measurements(table_path("Llama-3.1-8B", "H100", 1))
    assert table.linear.sizes == measured.linear.sizes
    assert table.linear.seconds == pytest.approx(measured.linear.seconds, rel=1e-3)
    assert [t.seconds for t in table.attention] == pytest.approx([t.seconds for t in measured.attention], rel=1e-3)
    assert [t.batch for t in table.attention] == [t.batch for t in measured.attention]


@pytest.mark.parametrize(
    "source, message",
    [
        (Source("meta-llama/Meta-Llama-3.1-8B", "tpu_v9"), "cannot serve meta-llama/Meta-Llama-3.1-8B on 1 tpu_v9"),
        (Source("/nowhere/model", "h100_sxm"), "cannot serve /nowhere/model on 1 h100_sxm"),
    ],
)
def test_what_aiconfigurator_does_not_know_is_refused_in_one_line(
    source: Source, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils = pytest.importorskip("aiconfigurator_core.sdk.utils", reason="the extra `gpu` is not installed")
    logging.getLogger("aiconfigurator_core").setLevel(logging.CRITICAL)

    def offline(model: str, *_: object, **__: object) -> None:
        raise OSError(f"no network for {model}")

    monkeypatch.setattr(utils, "_download_hf_json", offline)
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        measure(source)
    assert "\n" not in str(refused.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aiconfigurator_core.sdk.engine", None)
    with pytest.raises(InputError, match=r"aiconfigurator is not installed; expected the extra `gpu`"):
        measure(Source("meta-llama/Meta-Llama-3.1-8B", "h100_sxm"))
