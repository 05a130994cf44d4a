"""The built-in profiles: measured tables where there are some, and what is derived from them by stated ratios.

Kernel times (`tables/`) are those of NVIDIA's aiconfigurator (Apache-2.0) for vLLM in BF16; see
benchmarks/serving_profiles.py, which writes them and prints how well the formula fits. Host work is added per model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from adrs.errors import InputError
from evaluators.serving.cost.gpus import GPUS
from evaluators.serving.cost.measurements import Measurements
from evaluators.serving.cost.models import MODELS
from evaluators.serving.cost.profile import Attention, Grid, Profile
from evaluators.serving.cost.recorded import read_measurements

TABLES = (
    ("Llama-3.1-8B", "A100", 1),
    ("Llama-3.1-8B", "H100", 1),
    ("Llama-3.1-70B", "A100", 4),
    ("Llama-3.1-70B", "H100", 4),
    ("Qwen3-32B", "A100", 2),
    ("Qwen3-32B", "H100", 2),
    ("Qwen3-30B-A3B", "A100", 1),
    ("Qwen3-30B-A3B", "H100", 1),
    ("Mixtral-8x7B", "A100", 2),
    ("Mixtral-8x7B", "H100", 2),
)


@dataclass(frozen=True, slots=True)
class Host:
    """Milliseconds of host work: once a step, and for each scheduled sequence."""

    step: float
    sequence: float


# What the time between tokens that the ML.ENERGY benchmark measured with vLLM on H100 exceeds the kernel times by, as
# a line over the batch size (below 400 sequences; residual of the fit 4 to 14 %). It contains what prefills add to the
# mean step there; as that would grow with the model, and the slopes do not, it is small. Mixtral was not measured: its
# step is that of Qwen3-30B-A3B by the number of layers. Host work does not depend on the GPU: A100 has the same.
HOST = {
    "Llama-3.1-8B": Host(0.07, 0.046),
    "Llama-3.1-70B": Host(1.1, 0.047),
    "Qwen3-32B": Host(0.6, 0.068),
    "Qwen3-30B-A3B": Host(2.4, 0.046),
    "Mixtral-8x7B": Host(1.6, 0.046),
}

# Llama-2-7B, whose layers are those of LLaMA-7B, on an A40: medians of the linear layers, norms and activations that
# Vidur measured (MIT, data/profiling/compute/a40), milliseconds of all layers by tokens.
_LLAMA_7B_A40 = {
    1: 23.97, 32: 26.51, 64: 30.11, 128: 30.37, 192: 35.01, 256: 44.80, 384: 55.36, 512: 71.74,
    768: 100.88, 1024: 138.27, 1536: 193.04, 2048: 261.94, 3072: 396.70, 4096: 530.04,
}  # fmt: skip
_MEMORY_BOUND_TOKENS = 128  # up to here the A40's times follow its bandwidth, above its arithmetic


def table_path(model: str, gpu: str, gpus: int) -> Path:
    """Where the kernel times of a model lie."""
    return Path(__file__).parent / "tables" / f"{model}_{gpu}_tp{gpus}.csv"


@cache
def builtin_profile(model: str, gpu: str, gpus: int) -> Profile:
    """The profile of a model on that many GPUs with tensor parallelism.

    Raises InputError if there is none, naming those that there are.
    """
    key = (model, gpu, gpus)
    if key in TABLES:
        return _measured(*key).profile()
    if key not in DERIVED:
        known = ", ".join(f"{of} on {count} {on}" for of, on, count in (*TABLES, *DERIVED))
        asked = f"{model} on {gpus} {gpu}"
        raise InputError(
            f"no built-in profile of {asked}; there are {known}; others come from the extra `gpu` or a CSV"
        )
    return DERIVED[key]()


def _measured(model: str, gpu: str, gpus: int) -> Measurements:
    host = HOST[model]
    kernels = read_measurements(table_path(model, gpu, gpus))
    return replace(kernels, step=host.step / 1000, sequence=host.sequence / 1000)


def _with_small_vocabulary(model: str, of: str, gpu: str, gpus: int) -> Profile:
    """A model with the same layers as one that was measured: only the output head shrinks, with its weights."""
    base = builtin_profile(of, gpu, gpus)
    return replace(base, head=_scaled(base.head, MODELS[model].head_bytes / MODELS[of].head_bytes))


def _llama_7b_on_a10() -> Profile:
    """From the A40, of the same architecture, by bandwidth and arithmetic; its attention from Llama-3.1-8B on A100.

    Both models have 32 layers of 32 heads of 128, so a pair of tokens costs the same arithmetic; LLaMA-7B reads four
    times the KV cache, as no heads share it. All of this profile is derived: LLaMA-7B on A10 was not measured.
    """
    a10, a40, a100 = GPUS["A10"], GPUS["A40"], GPUS["A100"]
    llama, base = MODELS["LLaMA-7B"], MODELS["Llama-3.1-8B"]
    measured = builtin_profile("Llama-3.1-8B", "A100", 1)
    slower_memory = a40.bytes_per_second / a10.bytes_per_second
    slower_arithmetic = a40.flops_per_second / a10.flops_per_second
    linear = {
        tokens: ms / 1000 * (slower_memory if tokens <= _MEMORY_BOUND_TOKENS else slower_arithmetic)
        for tokens, ms in _LLAMA_7B_A40.items()
    }
    bandwidth = a100.bytes_per_second / a10.bytes_per_second
    arithmetic = a100.flops_per_second / a10.flops_per_second
    reads = bandwidth * llama.kv_token_bytes / base.kv_token_bytes
    attention = measured.attention
    return Profile(
        step=measured.step,
        sequence=measured.sequence,
        head=_scaled(measured.head, bandwidth * llama.head_bytes / base.head_bytes),
        linear=Grid(tuple(linear), tuple(linear.values())),
        attention=Attention(
            launch=attention.launch,
            pair=attention.pair * arithmetic,
            reread=attention.reread * reads,
            sequence=attention.sequence,
            context=attention.context * reads,
        ),
    )


def _scaled(grid: Grid, factor: float) -> Grid:
    return Grid(grid.sizes, tuple(seconds * factor for seconds in grid.seconds))


DERIVED: dict[tuple[str, str, int], Callable[[], Profile]] = {
    ("Mistral-7B", "A100", 1): lambda: _with_small_vocabulary("Mistral-7B", "Llama-3.1-8B", "A100", 1),
    ("Mistral-7B", "H100", 1): lambda: _with_small_vocabulary("Mistral-7B", "Llama-3.1-8B", "H100", 1),
    ("Llama-2-70B", "A100", 4): lambda: _with_small_vocabulary("Llama-2-70B", "Llama-3.1-70B", "A100", 4),
    ("Llama-2-70B", "H100", 4): lambda: _with_small_vocabulary("Llama-2-70B", "Llama-3.1-70B", "H100", 4),
    ("LLaMA-7B", "A10", 1): _llama_7b_on_a10,
}
