"""The load of one deployment over time, as the simulator takes it, whether generated or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Phase = Literal["prefill", "decode"]


@dataclass(frozen=True)
class TokenTypes:
    """Tokens that are routed alike: a token of type v uses the experts `experts[layer, v]` in each layer.

    `tokens[interval, step, v]` counts them; by them the number of nodes that a token is sent to is known, which the
    tokens per expert alone do not tell.
    """

    experts: npt.NDArray[np.int16]  # [layers, types, top_k]
    tokens: npt.NDArray[np.int32]  # [intervals, steps, types]


@dataclass(frozen=True)
class Trace:
    """Loads of `intervals` rebalance intervals, each simulated at `steps` sampled steps in order of time.

    windows: [intervals, layers, experts] tokens per expert in the window that ends where the interval begins.
    counts: [intervals, steps, layers, experts] tokens per expert in each sampled step.
    phases: of the sampled steps, the same pattern in every interval.
    tokens: [intervals, steps] tokens of each sampled step over all ranks (one MoE layer routes each top_k times).
    types: None when only counts are known (recorded histories).
    """

    windows: Floats
    counts: npt.NDArray[np.int32]
    phases: tuple[Phase, ...]
    tokens: npt.NDArray[np.int64]
    types: TokenTypes | None = None

    @property
    def intervals(self) -> int:
        return len(self.counts)

    @property
    def steps(self) -> int:
        return len(self.phases)

    @property
    def layers(self) -> int:
        return int(self.counts.shape[2])

    @property
    def experts(self) -> int:
        return int(self.counts.shape[3])

    def of_phase(self, phase: Phase) -> list[int]:
        """Indices of the sampled steps of a phase."""
        return [index for index, name in enumerate(self.phases) if name == phase]
