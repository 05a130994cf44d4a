"""How many watts the GPUs of an instance draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Protocol

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.gpus import Gpu

# An idle GPU with its memory powered: the 5th percentile of the GPUs of the Acme clusters (A100, 62 W of 400 W).
IDLE_SHARE = 62 / 400

# A whole prefill batch draws the thermal design power: peaks of 1.0 to 1.09 of it for Llama-2-70B on A100 (Splitwise).
FULL_TOKENS = 2048


class PowerDraw(Protocol):
    """What an instance draws; `idle_watts` of all its GPUs while nothing runs."""

    @property
    def idle_watts(self) -> float: ...

    def watts(self, batch: Batch) -> float:
        """Of all its GPUs, while such a batch runs."""


@dataclass(frozen=True)
class Power:
    """Watts of one instance by the tokens of its batch: linear in their logarithm between the figures given.

    Args:
        idle_watts: While nothing runs; of all GPUs.
        tokens: Ascending batch sizes, at least one.
        busy_watts: Of all GPUs, at those sizes; outside of them as at the nearest.
    """

    idle_watts: float
    tokens: tuple[int, ...]
    busy_watts: tuple[float, ...]

    def watts(self, batch: Batch) -> float:
        """Of all GPUs, while such a batch runs."""
        tokens = batch.tokens
        if tokens <= self.tokens[0]:
            return self.busy_watts[0]
        for i in range(1, len(self.tokens)):
            if tokens < self.tokens[i]:
                before, after = self.tokens[i - 1], self.tokens[i]
                share = log2(tokens / before) / log2(after / before)
                return self.busy_watts[i - 1] + share * (self.busy_watts[i] - self.busy_watts[i - 1])
        return self.busy_watts[-1]


# Shares of the thermal design power of an H100 by decoding sequences: ML.ENERGY benchmark, watts a GPU of vLLM at batch
# sizes 8, 32, 128 and 256 over 700 W. More GPUs wait more for each other, so each draws less.
_SEQUENCES = (8, 32, 128, 256)
_DENSE_1 = (486 / 700, 560 / 700, 669 / 700, 691 / 700)  # Llama-3.1-8B on 1
_DENSE_4 = (441 / 700, 449 / 700, 546 / 700, 589 / 700)  # Llama-3.1-70B on 4
_EXPERTS = (399 / 700, 468 / 700, 546 / 700, 589 / 700)  # Qwen3-30B-A3B on 1; at 128 and 256, not measured, as the 70B


def serving_power(gpu: Gpu, gpus: int, mixture: bool) -> Power:
    """The watts of `gpus` GPUs, the shares measured on H100 taken for all kinds.

    Args:
        mixture: Of experts, whose decoding leaves more of the arithmetic idle.
    """
    shares: Sequence[float] = _EXPERTS if mixture else _DENSE_1 if gpus == 1 else _DENSE_4
    watts = gpu.watts * gpus
    return Power(watts * IDLE_SHARE, (*_SEQUENCES, FULL_TOKENS), (*(watts * share for share in shares), watts))
