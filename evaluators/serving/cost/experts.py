"""How many experts of a mixture a batch activates, and what reading them moves."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from evaluators.serving.cost.models import Model


@cache
def activated_experts(model: Model, tokens: int, skew: float = 0.0) -> float:
    """The expected number of experts of one layer that `tokens` tokens pass through; 0 for a dense model.

    Each token picks `top_k` of them independently of the others.

    Args:
        skew: Exponent of a Zipf law over the experts' popularity; 0 makes all alike. With 128 experts of which 8 are
            picked, 0.6 gives the most popular one 8 times the mean load, as the loads that NVIDIA's collector of MoE
            kernel times draws by default.
    """
    return float((1 - (1 - _chances(model.experts, model.top_k, skew)) ** tokens).sum()) if model.experts else 0.0


def expert_bytes_read(model: Model, tokens: int, skew: float = 0.0) -> float:
    """Bytes of expert weights that one pass of `tokens` tokens over all layers reads from memory."""
    return model.layers * activated_experts(model, tokens, skew) * model.expert_bytes


@cache
def _chances(experts: int, top_k: int, skew: float) -> npt.NDArray[np.float64]:
    """Of each expert, the chance that a token picks it: `top_k` shared out by popularity, none above 1."""
    popularity = np.arange(1, experts + 1, dtype=float) ** -skew
    certain = 0
    while True:  # give the surplus of those that are always picked to the rest
        rest = popularity[certain:]
        chances = (top_k - certain) * rest / rest.sum()
        above = int((chances > 1).sum())
        if not above:
            return np.concatenate([np.ones(certain), chances])
        certain += above
