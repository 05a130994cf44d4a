"""What prefill costs on a GPU. Figures are fits to measured kernel times, not nominal rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prefill:
    """Milliseconds of one prefill pass over k thousand tokens: `fixed + linear k + quadratic k^2`.

    Prompts share passes of `batch_tokens` tokens, so each token bears its part of the fixed cost. A token's attention
    reaches back over all tokens before it, cached or not: n tokens after s others bear (s + n)^2 - s^2 of the last.
    """

    fixed: float
    linear: float
    quadratic: float
    batch_tokens: int

    @property
    def seconds_per_token(self) -> float:
        """Of one token, attention aside."""
        return (self.linear / 1000 + self.fixed / self.batch_tokens) / 1000

    @property
    def seconds_per_pair(self) -> float:
        """Of the attention of one token to one token: the square term counts each pair of a prompt twice."""
        return self.quadratic / 1e6 / 1000

    def seconds(self, before: Ints, new: Ints) -> float:
        """Seconds to compute, in prompt i, `new[i]` tokens that follow `before[i]` tokens already in the KV cache."""
        pairs = int(((before + new) ** 2 - before**2).sum())
        return int(new.sum()) * self.seconds_per_token + pairs * self.seconds_per_pair


# Llama-3.1-8B in BF16 on one H100: least squares over the vLLM kernel tables of NVIDIA's aiconfigurator (2 % off in the
# mean). vLLM's server fills a pass with up to 8,192 tokens (max_num_batched_tokens).
LLAMA_8B_H100 = Prefill(fixed=4.9, linear=16.6, quadratic=0.70, batch_tokens=8192)
