"""Synthetic clusters: which models are served, on which GPUs, and how often each is asked for over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluators.placement.fleet import Fleet, Floats, Ints, initial_placement
from evaluators.placement.loading import SECONDS_PER_GB
from evaluators.placement.timeline import Cluster, Trace

Drift = Literal["steady", "diurnal", "burst", "release", "recurring", "rotation", "surge"]
Mix = Literal["small", "medium", "large"]

# GB of weights in BF16 (two bytes a parameter, counts of the model cards); the two largest in FP8.
SIZES: tuple[tuple[float, ...], ...] = (
    (2.5, 3.1, 6.4, 6.2),  # 1-3B: Llama-3.2-1B, Qwen2.5-1.5B, Llama-3.2-3B, Qwen2.5-3B
    (14.5, 15.2, 16.1, 7.6),  # 4-8B: Mistral-7B, Qwen2.5-7B, Llama-3.1-8B, Phi-3-mini
    (18.5, 29.5, 54.5, 44.5),  # 9-30B: Gemma-2-9B, Qwen2.5-14B, Gemma-2-27B, Mistral-Small-22B
    (32.8, 70.6),  # 31-70B: Qwen3-32B, Llama-3.1-70B
)
# Chances of the four classes. "small" is the set of 58 LLMs that Prism is evaluated with (43, 8, 3 and 4 of them).
MIXES: dict[Mix, tuple[float, ...]] = {
    "small": (43 / 58, 8 / 58, 3 / 58, 4 / 58),
    "medium": (0.35, 0.4, 0.2, 0.05),
    "large": (0.15, 0.3, 0.35, 0.2),
}
LARGEST = 0.8  # of the largest GPU: models that need more are served by several GPUs together, which is not modelled
USABLE = 0.9  # of a GPU's memory: vLLM's default gpu_memory_utilization
SLO_SECONDS = (
    1.0,
    2.0,
    5.0,
    10.0,
)  # from interactive to relaxed, as far apart as Prism's diverse SLOs (0.04-0.13 x 5-20)
REQUESTS_PER_GPU = 4.0  # requests/s in all; pressure is linear in it
REPLICA_SHARE = 0.8  # of a GPU's fair share of demand: more than that and an autoscaler runs another replica

# ServeGen's busiest 24 clients follow a power law of exponent 0.95 (reason), 1.1 (m-large, m-mid) or 1.3 (mm-image).
# Their rates change from one ten minutes to the next by a factor of e^0.43 (median over clients of m-large), which is
# what a log rate that wanders by 0.4 and forgets within ten minutes does.
WANDER = 0.4
WANDER_SECONDS = 600.0
DISPERSION = 4.0  # variance over mean of request counts in ten seconds, Azure conversation trace 2023
IDLE = 0.1  # of the mean rate of a model that is idle
ACTIVE_SECONDS = 600.0  # that a bursty model stays active, in the mean; it is idle twice as long
TURNS = {"recurring": (2, 3), "rotation": (3, 2)}  # groups of tenants, and periods of a turn


@dataclass(frozen=True)
class Scenario:
    """One synthetic cluster; JSON data, from which everything else follows."""

    gpus: tuple[int, ...]  # GB of each, nominal
    models: int  # before replicas
    mix: Mix
    fill: float  # share of the GPUs' memory that weights may take
    exponent: float  # of the power law of popularity
    loader: str  # name in `loading.SECONDS_PER_GB`
    drift: Drift
    period_seconds: int
    seed: int
    stretches: int = 10  # per period, of constant rates
    periods: int = 16


def make_cluster(scenario: Scenario) -> Cluster:
    """Draw a scenario's cluster and its requests. Deterministic in it."""
    rng = np.random.default_rng([scenario.seed, 50_521])
    while True:  # weights that cannot be packed are drawn again
        weights, slo, base, model_of = _draw_models(rng, scenario)
        memory = USABLE * np.array(scenario.gpus, dtype=np.float64)
        fleet = Fleet(slo, weights, weights * SECONDS_PER_GB[scenario.loader], memory)
        initial = initial_placement(fleet)
        if initial is not None:
            return Cluster(fleet, _draw_trace(rng, scenario, base, model_of), initial)


def _draw_models(rng: np.random.Generator, scenario: Scenario) -> tuple[Floats, Floats, Floats, Ints]:
    """Weights, SLO, mean rate and model of each replica."""
    slo = rng.choice(SLO_SECONDS, scenario.models)
    popularity = rng.permutation(np.arange(1, scenario.models + 1) ** -scenario.exponent)
    rate = REQUESTS_PER_GPU * len(scenario.gpus) * popularity / popularity.sum()
    demand = rate / slo
    copies = np.ceil(demand / demand.sum() * len(scenario.gpus) / REPLICA_SHARE).astype(np.int64)
    weights = _draw_weights(rng, scenario, copies)
    model_of = np.repeat(np.arange(scenario.models), copies)
    return weights[model_of], slo[model_of], (rate / copies)[model_of], model_of


def _draw_weights(rng: np.random.Generator, scenario: Scenario, copies: Ints) -> Floats:
    """Sizes of the mix, the heaviest made smaller until all replicas take `fill` of the memory or less, if they can."""
    room = scenario.fill * USABLE * sum(scenario.gpus)
    largest = LARGEST * USABLE * max(scenario.gpus)
    known = np.unique([size for sizes in SIZES for size in sizes if size <= largest])
    classes = rng.choice(len(SIZES), scenario.models, p=MIXES[scenario.mix])
    weights = np.minimum([rng.choice(SIZES[size]) for size in classes], known[-1])
    while weights @ copies > room and weights.max() > known[0]:
        heaviest = int(np.argmax(np.where(weights > known[0], weights * copies, 0.0)))
        weights[heaviest] = known[np.searchsorted(known, weights[heaviest]) - 1]
    return np.asarray(weights, dtype=np.float64)


def _draw_trace(rng: np.random.Generator, scenario: Scenario, base: Floats, model_of: Ints) -> Trace:
    """Rates of every replica; the replicas of a model share its course, not its chance arrivals."""
    stretch = scenario.period_seconds // scenario.stretches
    seconds: Floats = np.arange((scenario.periods + 1) * scenario.stretches, dtype=np.float64) * stretch
    course = _course(rng, scenario, seconds) * np.exp(_wander(rng, len(seconds), scenario.models, stretch))
    mean = base * course[:, model_of]
    rates = rng.gamma(np.maximum(mean * stretch / DISPERSION, 1e-9), DISPERSION / stretch)
    return Trace(rates.reshape(scenario.periods + 1, scenario.stretches, len(base)), stretch)


def _wander(rng: np.random.Generator, steps: int, models: int, stretch: int) -> Floats:
    """Stationary AR(1) noise of the log rates, [steps, models]."""
    kept = np.exp(-stretch / WANDER_SECONDS)
    noise = rng.normal(0.0, WANDER, (steps, models))
    for step in range(1, steps):
        noise[step] = kept * noise[step - 1] + np.sqrt(1 - kept**2) * noise[step]
    return noise


def _course(rng: np.random.Generator, scenario: Scenario, seconds: Floats) -> Floats:
    """The rates relative to their mean before noise, [steps, models], by the kind of drift."""
    models, period = scenario.models, scenario.period_seconds
    match scenario.drift:
        case "steady":
            return np.ones((len(seconds), models))
        case "diurnal":
            return _daily(rng, seconds, models)
        case "burst":
            return _on_off(rng, seconds, models)
        case "surge":
            return _daily(rng, seconds, models) * _on_off(rng, seconds, models)
        case "release":
            return _release(rng, seconds, models, period)
        case "recurring" | "rotation":  # tenants take turns
            groups, turns = TURNS[scenario.drift]
            turn = (seconds // (turns * period)).astype(np.int64) % groups
            mine = turn[:, None] == rng.integers(groups, size=models)
            return np.asarray(np.where(mine, groups * (1 - IDLE) + IDLE, IDLE))


def _daily(rng: np.random.Generator, seconds: Floats, models: int) -> Floats:
    """A day's wave, for users in three regions eight hours apart; peaks at 1.8 times the mean (ServeGen: 1.4-2.8)."""
    phase = rng.integers(3, size=models) / 3 + rng.normal(0, 1 / 24, models) + rng.random()
    return np.asarray(1 + 0.8 * np.sin(2 * np.pi * (seconds[:, None] / 86_400 + phase)))


def _on_off(rng: np.random.Generator, seconds: Floats, models: int) -> Floats:
    """Bursty groups (Prism, OSDI 2026, section 3.1): 23-50 % of the models are active at a time, some always."""
    step = seconds[1] - seconds[0]
    active = np.empty((len(seconds), models), dtype=bool)
    active[0] = rng.random(models) < 1 / 3
    for at in range(1, len(seconds)):
        chance = step / (ACTIVE_SECONDS * np.where(active[at - 1], 1, 2))
        active[at] = active[at - 1] ^ (rng.random(models) < chance)
    always = rng.random(models) < 0.2
    level = np.where(active, 3 * (1 - IDLE) + IDLE, IDLE)
    return np.asarray(np.where(always, 1.0, level))


def _release(rng: np.random.Generator, seconds: Floats, models: int, period: float) -> Floats:
    """Two models in turn come from nearly nothing to the front within three periods, and those they replace fade."""
    course = np.ones((len(seconds), models))
    new, old = rng.permutation(models)[:4].reshape(2, 2)
    for model, gone, part in zip(new, old, (rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.8)), strict=True):
        risen = np.clip((seconds - part * seconds[-1]) / (3 * period), 0.0, 1.0)
        course[:, model] = IDLE + risen * 4
        course[:, gone] = 1 - risen * (1 - IDLE)
    return course
