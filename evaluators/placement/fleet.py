"""Models and GPUs, what a placement is, and the pressure on a GPU.

The KV pressure ratio of a GPU is the demand of its models over the memory that their weights leave for KV cache:

    sum over its models of rate / SLO   /   (memory - sum of their weights)

(Yu et al., "Prism: Unleashing GPU Sharing for Cost-Efficient Multi-LLM Serving", arXiv 2505.04021, 2025, section on
global scheduling; its later version multiplies the rate by the KV bytes of a token.) Unit: requests/s, per second of
SLO, per GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adrs.evaluation.protocol import WrongAnswer

RESERVE = (
    4.0  # GB that weights must leave free on every GPU: KV cache of 16k tokens of a 32B model, of 32k of an 8B one
)
ROUNDING = 1e-9  # GB; sums of a few dozen weights round by less

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fleet:
    """What is to be placed, and where. Arrays are per model, `memory` per GPU."""

    slo: Floats  # seconds
    weights: Floats  # GB
    load_seconds: Floats
    memory: Floats  # GB for weights and KV cache

    @property
    def models(self) -> int:
        return len(self.weights)

    @property
    def gpus(self) -> int:
        return len(self.memory)

    def free(self, placement: Ints) -> Floats:
        """GB that the weights leave on each GPU; negative where they do not fit."""
        return np.asarray(self.memory - self.total(placement, self.weights))

    def total(self, placement: Ints, values: Floats) -> Floats:
        """Sum over the models of each GPU, [gpus], of values [models]."""
        return np.asarray(np.bincount(placement, values, self.gpus), dtype=np.float64)

    def fits(self, placement: Ints) -> bool:
        return bool((self.free(placement) >= RESERVE - ROUNDING).all())

    def pressure(self, placement: Ints, demand: Floats) -> Floats:
        """Pressure on each GPU, [gpus, ...], of demand [models, ...] under a placement that fits."""
        member = (placement[None, :] == np.arange(self.gpus)[:, None]).astype(np.float64)
        return np.asarray((member @ demand).T / self.free(placement)).T


def check_placement(answer: Any, fleet: Fleet) -> Ints:
    """The answer as int64 [models].

    Raises:
        WrongAnswer: not an integer array of that shape, a GPU that does not exist, or weights that do not fit.
    """
    if not isinstance(answer, np.ndarray):
        raise WrongAnswer(f"expected an integer array [{fleet.models}], got {type(answer).__name__}")
    if answer.dtype.kind not in "iu":
        raise WrongAnswer(f"expected an integer array, got dtype {answer.dtype}")
    if answer.shape != (fleet.models,):
        raise WrongAnswer(f"expected shape ({fleet.models},), one GPU for each model, got {answer.shape}")
    outside = (answer < 0) | (answer >= fleet.gpus)
    if outside.any():
        model = int(np.argmax(outside))
        raise WrongAnswer(f"model {model}: GPU {answer[model]} is outside 0..{fleet.gpus - 1}")
    placement: Ints = answer.astype(np.int64)
    if not fleet.fits(placement):
        gpu = int(np.argmin(fleet.free(placement)))
        used = fleet.memory[gpu] - fleet.free(placement)[gpu]
        raise WrongAnswer(
            f"GPU {gpu}: weights of {used:.1f} GB do not leave {RESERVE:.0f} GB of its {fleet.memory[gpu]:.1f} GB free"
        )
    return placement


def initial_placement(fleet: Fleet) -> Ints | None:
    """What the cluster starts with, before any rate is known: weights spread evenly.

    Each model, largest first, goes to the GPU with the most memory free, as schedulers spread by default ("worst fit
    decreasing"; Kubernetes' LeastAllocated). None if a model finds no room.
    """
    free = fleet.memory - RESERVE
    placement = np.zeros(fleet.models, dtype=np.int64)
    for model in np.argsort(-fleet.weights, kind="stable"):
        gpu = int(np.argmax(free))
        if fleet.weights[model] > free[gpu]:
            return None
        placement[model] = gpu
        free[gpu] -= fleet.weights[model]
    return placement
