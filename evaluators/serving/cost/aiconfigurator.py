"""Profiles from NVIDIA's aiconfigurator (the extra `gpu`): kernel times measured on many GPUs, of vLLM among others.

Its kernels are timed apart, without a host: the sum of an iteration's is sampled here.
https://github.com/ai-dynamo/aiconfigurator (Apache-2.0)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from adrs.errors import InputError
from evaluators.serving.cost.fit import AttentionTime
from evaluators.serving.cost.measurements import Measurements, chunk, decoding
from evaluators.serving.cost.profile import NOTHING, Grid

SIZES = (1, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, 16384)
SEQUENCES = (1, 8, 32, 64, 128, 256, 512)
CONTEXTS = (512, 2048, 8192)
DECODES = tuple((sequences, context) for sequences in SEQUENCES for context in CONTEXTS)
CHUNKS = (32, 128, 512, 2048, 8192)
PREFILLS = tuple((tokens, before) for tokens in SIZES for before in ((0, 4096, 16384) if tokens in CHUNKS else (0,)))

_Operation = tuple[str, float, float, str]  # name, milliseconds, energy, where the figure comes from


class _Engine(Protocol):
    """What is used of aiconfigurator's EngineHandle."""

    def decode_step_per_op(self, gen_tokens: int, isl: int, osl: int) -> list[_Operation]: ...

    def run_static_per_op(
        self, *, batch_size: int, isl: int, osl: int, prefix: int = 0, mode: str = "static"
    ) -> tuple[list[_Operation], list[_Operation]]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Which of its tables to take.

    Args:
        model: On Hugging Face, such as meta-llama/Meta-Llama-3.1-8B.
        system: Its name of the GPU, such as h100_sxm.
        gpus: Tensor parallelism.
        backend: vllm, sglang or trtllm.
    """

    model: str
    system: str
    gpus: int = 1
    backend: str = "vllm"


def measure(source: Source, step: float = 0.0, sequence: float = 0.0) -> Measurements:
    """Its times of a model on GPUs, with the host's seconds of a step and of a scheduled sequence.

    Raises InputError if the package is not there, or has no such tables.
    """
    engine = _compile(source)
    try:
        prefills = {(n, before): _prefill(engine, n, before) for n, before in PREFILLS}
        decodes = {(n, context): engine.decode_step_per_op(n, context, 2) for n, context in DECODES}
    except Exception as error:  # whatever its compiled engine raises: the tables do not cover the model there
        raise InputError(f"aiconfigurator: no kernel times for {_named(source)}: {_first_line(error)}") from error
    sizes = [prefills[n, 0] for n in SIZES]
    linear = tuple(_seconds(operations, without=("attention", "logits", "_moe")) for operations in sizes)
    experts = tuple(_seconds(operations, only="_moe") for operations in sizes)
    head = tuple(_seconds(decodes[n, CONTEXTS[0]], only="logits") for n in SEQUENCES)
    chunks = {at: operations for at, operations in prefills.items() if at[0] in CHUNKS}
    attention = [AttentionTime(chunk(before, n), _attention(of)) for (n, before), of in chunks.items()]
    attention += [AttentionTime(decoding(*at), _attention(of)) for at, of in decodes.items()]
    return Measurements(
        linear=Grid(SIZES, linear),
        head=Grid(SEQUENCES, head),
        attention=tuple(attention),
        experts=Grid(SIZES, experts) if any(experts) else NOTHING,
        step=step,
        sequence=sequence,
    )


def _prefill(engine: _Engine, tokens: int, before: int) -> list[_Operation]:
    """The operations that compute `tokens` tokens behind `before` cached ones."""
    return engine.run_static_per_op(batch_size=1, isl=before + tokens, osl=2, prefix=before, mode="static")[0]


def _seconds(operations: Iterable[_Operation], only: str = "", without: tuple[str, ...] = ()) -> float:
    """Of the operations with this in their names, and none of those."""
    taken = (time for name, time, *_ in operations if only in name and not any(part in name for part in without))
    return sum(taken) / 1000


def _attention(operations: Iterable[_Operation]) -> float:
    return _seconds(operations, only="attention")


def _compile(source: Source) -> _Engine:
    try:
        from aiconfigurator_core.sdk.engine import EngineHandle
    except ImportError as error:
        message = "aiconfigurator is not installed; expected the extra `gpu`: pip install 'adrs-toolkit[gpu]'"
        raise InputError(message) from error
    logging.getLogger("aiconfigurator_core").setLevel(logging.ERROR)
    parallel = {"tp_size": source.gpus, "moe_tp_size": source.gpus, "moe_ep_size": 1}
    try:
        engine: _Engine = EngineHandle.compile(source.model, source.system, source.backend, **parallel)
    except Exception as error:  # it raises many kinds for an unknown model, system or backend
        raise InputError(f"aiconfigurator: cannot serve {_named(source)}: {_first_line(error)}") from error
    return engine


def _named(source: Source) -> str:
    return f"{source.model} on {source.gpus} {source.system} with {source.backend}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
