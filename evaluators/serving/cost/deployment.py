"""An instance as it is deployed: a model on GPUs, what its iterations cost, and how much KV cache it has."""

from __future__ import annotations

from dataclasses import dataclass

from adrs.errors import InputError
from evaluators.serving.cost.builtin import builtin_profile
from evaluators.serving.cost.gpus import GIB, Gpu, find_gpu
from evaluators.serving.cost.models import BYTES, Model, find_model
from evaluators.serving.cost.power import PowerDraw, serving_power
from evaluators.serving.cost.profile import IterationCost

BLOCK_TOKENS = 16
MEMORY_SHARE = 0.9  # vLLM's gpu_memory_utilization


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine is configured with; vLLM's names in brackets.

    Args:
        max_batch_tokens: Tokens of one iteration (max_num_batched_tokens).
        max_sequences: Sequences of one iteration (max_num_seqs).
    """

    max_batch_tokens: int = 2048
    max_sequences: int = 256


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model on the GPUs of one instance.

    Args:
        kv_blocks: Blocks of the KV cache, of `block_size` tokens of `kv_token_bytes` each (over all GPUs).
        host_bytes_per_second: Of the link over which KV is swapped, all GPUs together.
        weight_bytes: Of the whole model.
        layers: Of the model.
    """

    name: str
    cost: IterationCost
    power: PowerDraw
    kv_blocks: int
    kv_token_bytes: int
    gpus: int
    host_bytes_per_second: float
    weight_bytes: int
    layers: int
    block_size: int = BLOCK_TOKENS
    max_batch_tokens: int = 2048
    max_sequences: int = 256


def deployment(
    model: str,
    gpu: str,
    gpus: int = 1,
    *,
    cost: IterationCost | None = None,
    limits: Limits = Limits(),
    memory_share: float = MEMORY_SHARE,
) -> Deployment:
    """A model served on `gpus` GPUs with tensor parallelism.

    Args:
        cost: A profile of one's own; otherwise the built-in one.
        memory_share: Of the GPU's memory that the engine may use.

    Raises:
        InputError: There is no such model, GPU or built-in profile, or the model does not fit.
    """
    shape, card = find_model(model), find_gpu(gpu)
    if gpus < 1:
        raise InputError(f"{gpus} GPUs; expected 1 or more")
    if limits.max_batch_tokens < limits.max_sequences:
        tokens = f"{limits.max_batch_tokens} tokens an iteration"
        raise InputError(f"{tokens} are too few for {limits.max_sequences} sequences, which decode one token each")
    return Deployment(
        name=f"{model} on {gpus} {gpu}",
        cost=cost or builtin_profile(model, gpu, gpus),
        power=serving_power(card, gpus, mixture=shape.experts > 0),
        kv_blocks=kv_blocks(shape, card, gpus, limits, memory_share),
        kv_token_bytes=shape.kv_token_bytes,
        gpus=gpus,
        host_bytes_per_second=card.host_bytes_per_second * gpus,
        weight_bytes=shape.weight_bytes,
        layers=shape.layers,
        max_batch_tokens=limits.max_batch_tokens,
        max_sequences=limits.max_sequences,
    )


def kv_blocks(
    model: Model, gpu: Gpu, gpus: int = 1, limits: Limits = Limits(), memory_share: float = MEMORY_SHARE
) -> int:
    """Blocks that fit beside the weights and the activations. Raises InputError if none does."""
    usable = gpus * (memory_share * gpu.memory_bytes - reserve_bytes(model, gpus, limits))
    blocks = int((usable - model.weight_bytes) // (BLOCK_TOKENS * model.kv_token_bytes))
    if blocks < 1:
        need = model.weight_bytes / GIB
        raise InputError(
            f"{model.name} on {gpus} {gpu.name}: weights of {need:.1f} GiB leave no room for a KV cache; use more GPUs"
        )
    return blocks


def reserve_bytes(model: Model, gpus: int, limits: Limits) -> float:
    """What a GPU needs beside weights and KV cache: 0.5 GiB of context, libraries and captured graphs, the activations
    of a full batch in a feed-forward layer, and its logits in FP32, thrice over for sampling.

    vLLM 0.19 with Llama-3.1-8B on an RTX 4090 (2,048 tokens, 256 sequences) kept 1.15 GiB; this gives 1.06 GiB.
    """
    width = 3 * model.feed_forward * max(model.top_k, 1) / gpus + 2 * model.hidden
    activations = limits.max_batch_tokens * width * BYTES
    return 0.5 * GIB + activations + limits.max_sequences * model.vocabulary * 4 * 3
