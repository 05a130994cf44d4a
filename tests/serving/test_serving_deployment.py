"""What a deployment holds, draws and is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adrs.errors import InputError
from evaluators.serving.cost.builtin import DERIVED, TABLES
from evaluators.serving.cost.deployment import Limits, deployment, kv_blocks, reserve_bytes
from evaluators.serving.cost.gpus import GPUS
from evaluators.serving.cost.measurements import chunk, decoding
from evaluators.serving.cost.models import MODELS, find_model, read_model, recognise_model
from evaluators.serving.cost.power import serving_power

# As the models' cards state them: billions of parameters, KiB of KV cache a token.
CARDS = {
    "Llama-3.1-8B": (8.03, 128),
    "Llama-3.1-70B": (70.6, 320),
    "Llama-2-70B": (69.0, 320),
    "Qwen3-32B": (32.8, 256),
    "Qwen3-30B-A3B": (30.5, 96),
    "Mixtral-8x7B": (46.7, 128),
    "Mistral-7B": (7.24, 128),
    "LLaMA-7B": (6.74, 512),
}


@pytest.mark.parametrize("name", MODELS)
def test_shapes_give_the_published_sizes(name: str) -> None:
    billions, kib = CARDS[name]
    assert find_model(name).weight_bytes / 2e9 == pytest.approx(billions, rel=2e-3)
    assert find_model(name).kv_token_bytes == kib * 1024


@pytest.mark.parametrize("key", (*TABLES, *DERIVED), ids=str)
def test_weights_kv_cache_and_reserve_fill_the_memory(key: tuple[str, str, int]) -> None:
    made = deployment(*key)
    model, gpu, gpus = MODELS[key[0]], GPUS[key[1]], key[2]
    held = made.weight_bytes + made.kv_blocks * made.block_size * made.kv_token_bytes
    usable = gpus * (0.9 * gpu.memory_bytes - reserve_bytes(model, gpus, Limits()))
    assert usable - made.block_size * made.kv_token_bytes < held <= usable


def test_an_rtx_4090_holds_what_vllm_found_there() -> None:
    # vLLM 0.19, Llama-3.1-8B in BF16, 2,048 tokens and 256 sequences an iteration: 2,588 blocks
    blocks = kv_blocks(MODELS["Llama-3.1-8B"], GPUS["RTX4090"])
    assert blocks == pytest.approx(2588, rel=0.03)


def test_a_7b_model_on_a_24_gb_card_preempts_and_an_8b_on_an_h100_hardly_does() -> None:
    small, large = deployment("LLaMA-7B", "A10"), deployment("Llama-3.1-8B", "H100")
    assert 12_000 < small.kv_blocks * small.block_size < 15_000
    assert 420_000 < large.kv_blocks * large.block_size < 470_000


def test_limits_reach_the_deployment_and_its_reserve() -> None:
    little, much = (deployment("Qwen3-32B", "H100", 2, limits=Limits(tokens, 256)) for tokens in (2048, 16384))
    assert (little.max_batch_tokens, much.max_batch_tokens, much.max_sequences) == (2048, 16384, 256)
    assert little.kv_blocks > much.kv_blocks


def test_a_profile_of_ones_own_takes_the_place_of_the_built_in_one() -> None:
    mine = deployment("Llama-3.1-8B", "H100").cost
    assert deployment("Llama-3.1-8B", "L40S", cost=mine).cost is mine


@pytest.mark.parametrize(
    "model, gpu, gpus, message",
    [
        ("GPT-5", "H100", 1, r"model 'GPT-5': unknown; use one of Llama-3.1-8B, "),
        ("Llama-3.1-8B", "TPU", 1, r"GPU 'TPU': unknown; use one of A100, "),
        ("Llama-3.1-8B", "H100", 0, r"0 GPUs; expected 1 or more"),
        ("Llama-3.1-8B", "H100", 3, r"no built-in profile of Llama-3.1-8B on 3 H100; there are "),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(model: str, gpu: str, gpus: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        deployment(model, gpu, gpus)
    assert "\n" not in str(refused.value)


def test_a_model_that_does_not_fit_is_refused() -> None:
    cost = deployment("Llama-3.1-8B", "H100").cost
    with pytest.raises(
        InputError, match=r"Llama-3.1-70B on 1 H100: weights of 131.4 GiB leave no room .*use more GPUs"
    ):
        deployment("Llama-3.1-70B", "H100", 1, cost=cost)


@pytest.mark.parametrize(
    "repository, name",
    [
        ("meta-llama/Llama-3.1-8B", "Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen3-30B-A3B"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "Mixtral-8x7B"),
    ],
)
def test_variants_are_recognised(repository: str, name: str) -> None:
    assert recognise_model(repository).name == name


def test_a_stranger_is_not_taken_for_one_of_them() -> None:
    with pytest.raises(InputError, match=r"model 'Qwen/Qwen3-3': unknown"):
        recognise_model("Qwen/Qwen3-3")


def test_a_models_own_configuration_is_read(tmp_path: Path) -> None:
    config = {
        "num_hidden_layers": 48, "hidden_size": 2048, "num_attention_heads": 32, "num_key_value_heads": 4,
        "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
        "num_experts_per_tok": 8, "vocab_size": 151936,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    read, known = read_model(tmp_path / "config.json"), MODELS["Qwen3-30B-A3B"]
    assert (read.weight_bytes, read.kv_token_bytes, read.top_k) == (known.weight_bytes, known.kv_token_bytes, 8)
    for text, message in (
        ("{}", r"config.json: no field 'num_attention_heads'"),
        ("[", r"config.json: cannot be read"),
    ):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_model(tmp_path / "config.json")


def test_watts_are_those_measured_and_rise_with_the_batch() -> None:
    # ML.ENERGY benchmark, H100: Llama-3.1-8B with 8, 32, 128, 256 sequences; Splitwise: a full prefill draws the TDP
    power = deployment("Llama-3.1-8B", "H100").power
    assert [power.watts(decoding(n, 1000)) for n in (8, 32, 128, 256)] == pytest.approx([486, 560, 669, 691])
    assert power.watts(chunk(0, 8192)) == pytest.approx(700)
    watts = [power.watts(decoding(n, 1000)) for n in range(1, 3000)]
    assert watts == sorted(watts)
    assert watts[0] == pytest.approx(486)


def test_idle_draws_less_and_more_gpus_more() -> None:
    one, four = serving_power(GPUS["A100"], 1, mixture=False), serving_power(GPUS["A100"], 4, mixture=False)
    assert one.idle_watts == pytest.approx(62)
    assert four.idle_watts == 4 * one.idle_watts
    batch = decoding(32, 1000)
    assert one.idle_watts < one.watts(batch) < four.watts(batch) < 4 * one.watts(batch)


def test_an_iteration_must_have_room_for_a_token_of_every_sequence() -> None:
    with pytest.raises(InputError, match="128 tokens an iteration are too few for 256 sequences"):
        deployment("Llama-3.1-8B", "H100", limits=Limits(max_batch_tokens=128))
