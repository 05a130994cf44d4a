"""Synthetic routers: which experts the tokens of a domain use, layer by layer.

No public data set has per-step expert loads of these models, so the skew follows NVIDIA's kernel collector, which draws
tokens per expert from a bounded power law (aiconfigurator, `sample_power_law`; exponent 1.01 is its default for
DeepSeek-V3, 1.2 heavier, 0.6 its stand-in for a balanced deployment). At 4,096 tokens and 256 experts these give a
max/mean per expert of 8.3, 15.5 and 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.moe.shapes import ModelShape
from evaluators.moe.trace import Floats

TYPES = 256  # token types of a domain
LAYER_JITTER = 0.1  # relative spread of the exponent over layers
KINSHIP = 0.6  # how much the popularity of experts in a domain follows that of the layer at large
FITTING_ROUNDS = 3
LARGEST_SHARE = 0.8  # of the tokens that may use one expert (the collector's upper end, 0.8 x tokens)


@dataclass(frozen=True)
class Router:
    """Experts of every token type, and how often each type occurs in its domain."""

    experts: npt.NDArray[np.int16]  # [layers, domains * TYPES, top_k]
    frequency: Floats  # [TYPES], the same Zipf-Mandelbrot law in every domain
    usage: Floats  # [layers, domains, experts]: expected uses of an expert by one token


def make_router(rng: np.random.Generator, model: ModelShape, layers: int, domains: int, exponent: float) -> Router:
    """Draw a router whose expert popularity in every domain follows a power law with about this exponent."""
    weights = 1.0 / (np.arange(TYPES) + 8.0) ** 0.8
    frequency: Floats = np.asarray(weights / weights.sum())
    experts = np.empty((layers, domains * TYPES, model.top_k), dtype=np.int16)
    usage = np.empty((layers, domains, model.experts))
    for layer in range(layers):
        alpha = exponent * (1 + LAYER_JITTER * rng.uniform(-1, 1))
        popularity = np.sort(sample_power_law(rng, model.experts, alpha))
        common = rng.standard_normal(model.experts)
        for domain in range(domains):
            own = rng.standard_normal(model.experts)
            taste = KINSHIP * common + np.sqrt(1 - KINSHIP**2) * own
            target = np.empty(model.experts)
            target[np.argsort(taste)] = popularity
            chosen = _fit_choices(rng, model, _inclusion(target, model.top_k), frequency)
            experts[layer, domain * TYPES : (domain + 1) * TYPES] = chosen
            usage[layer, domain] = _usage(chosen, frequency, model.experts)
    return Router(experts, frequency, usage)


def sample_power_law(rng: np.random.Generator, size: int, alpha: float, tokens: int = 4096) -> Floats:
    """Relative loads from a power law bounded to [1, 0.8 tokens], by inverse CDF (as NVIDIA's collector does)."""
    low, high = 1.0, LARGEST_SHARE * tokens
    power = 1 - alpha
    return np.asarray((low**power + (high**power - low**power) * rng.random(size)) ** (1 / power))


def _inclusion(popularity: Floats, top_k: int) -> Floats:
    """Chance that a token uses each expert: proportional to popularity, at most LARGEST_SHARE, top_k in sum."""
    share = popularity * (top_k / popularity.sum())
    for _ in range(20):
        share = np.minimum(share, LARGEST_SHARE)
        free = share < LARGEST_SHARE
        share[free] *= max(top_k - LARGEST_SHARE * float((~free).sum()), 1e-9) / max(float(share[free].sum()), 1e-9)
    return np.asarray(share)


def _fit_choices(
    rng: np.random.Generator, model: ModelShape, target: Floats, frequency: Floats
) -> npt.NDArray[np.int16]:
    """Top-k choices of each type by logits plus Gumbel noise, the logits fitted so that usage comes near `target`."""
    # Gumbel = -log of an exponential; single precision is enough for a draw and takes half the time
    draws = rng.standard_exponential((len(frequency), model.experts), dtype=np.float32)
    noise = -np.log(np.maximum(draws, np.float32(1e-30)))
    logits = np.log(target).astype(np.float32)
    for _ in range(FITTING_ROUNDS):
        chosen = choose(logits + noise, model)
        reached = np.maximum(_usage(chosen, frequency, model.experts), 0.5 / len(frequency))
        logits = logits + (0.7 * np.log(target / reached)).astype(np.float32)
    return choose(logits + noise, model)


def choose(scores: npt.NDArray[np.floating], model: ModelShape) -> npt.NDArray[np.int16]:
    """Group-limited top-k: the best groups by the sum of their two best scores, then the best experts of those.

    DeepSeek-V3's gate (arXiv 2412.19437, section 2.1.2, and its reference `model.py`). Scores are log-affinities here;
    groups are compared by affinities, so they are exponentiated first.
    """
    if model.groups > 1:
        grouped = np.exp(scores - scores.max(axis=1, keepdims=True)).reshape(len(scores), model.groups, -1)
        best_two = np.partition(grouped, -2, axis=2)[:, :, -2:].sum(axis=2)
        barred = np.argsort(best_two, axis=1)[:, : model.groups - model.top_groups]
        scores = scores.copy().reshape(grouped.shape)
        scores[np.arange(len(scores))[:, None], barred] = -np.inf
        scores = scores.reshape(len(scores), -1)
    return np.argpartition(scores, -model.top_k, axis=1)[:, -model.top_k :].astype(np.int16)


def _usage(chosen: npt.NDArray[np.int16], frequency: Floats, experts: int) -> Floats:
    weights = np.repeat(frequency, chosen.shape[1])
    return np.asarray(np.bincount(chosen.ravel().astype(np.int64), weights=weights, minlength=experts), dtype=float)
