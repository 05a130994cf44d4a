"""Synthetic traffic: how the mix of domains moves over time, and the steps and windows that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluators.moe.cost import PREFILL_LENGTH
from evaluators.moe.routing import TYPES, Router, make_router
from evaluators.moe.shapes import shape
from evaluators.moe.trace import Floats, Phase, TokenTypes, Trace

Drift = Literal["steady", "drift", "shift", "recurring", "burst", "rotation", "surge"]
Serving = Literal["prefill", "decode", "mixed"]

DOMAINS = 4
# Clients are bursty: minute counts of the Azure conversation trace (2023) have a variance of 20.6 times their mean, so
# a quarter of its 332 requests a minute varies by half of its mean. The log shares of the domains wander by as much.
WANDER = 0.5
WANDER_STEPS = 1000  # engine steps over which that is forgotten: about a minute of decoding
MIXED_PREFILL_EVERY = 4  # in mixed serving every fourth sampled step is a prefill step


@dataclass(frozen=True)
class Scenario:
    """One synthetic deployment; JSON data, from which everything else follows."""

    model: str
    nodes: int
    gpus_per_node: int
    slots: int
    serving: Serving
    exponent: float  # of the power law of expert popularity
    drift: Drift
    seed: int
    prefill_tokens: int = 4096  # per GPU and step
    decode_tokens: int = 128  # per GPU and step
    asynchronous: bool = True
    interval: int = 3000  # engine steps between rebalances
    window: int = 1000  # engine steps observed before each
    layers: int = 4  # sampled; each stands for an equal part of the model's MoE layers
    intervals: int = 8
    steps: int = 15  # sampled per interval

    @property
    def gpus(self) -> int:
        return self.nodes * self.gpus_per_node


def make_trace(scenario: Scenario) -> Trace:
    """Draw the loads of a scenario. Deterministic in it."""
    rng = np.random.default_rng([scenario.seed, 20_412])
    router = make_router(rng, shape(scenario.model), scenario.layers, DOMAINS, scenario.exponent)
    mix = _mixes(rng, scenario)  # one interval of lead-in, whose window the first call sees
    phases = _phases(scenario)
    per_step = np.array([_tokens(scenario, phase) for phase in phases], dtype=np.int64)
    windows = _windows(scenario, router, mix, per_step)
    served = mix[1:]
    types = _draw_types(rng, served, phases, per_step, router)
    counts = np.stack([_count(router.experts[layer], types, shape(scenario.model).experts)
                       for layer in range(scenario.layers)], axis=2)  # fmt: skip
    tokens = np.tile(per_step, (scenario.intervals, 1))
    return Trace(windows, counts, phases, tokens, TokenTypes(router.experts, types))


def _phases(scenario: Scenario) -> tuple[Phase, ...]:
    if scenario.serving == "mixed":
        return tuple("prefill" if step % MIXED_PREFILL_EVERY == 0 else "decode" for step in range(scenario.steps))
    return (scenario.serving,) * scenario.steps


def _tokens(scenario: Scenario, phase: Phase) -> int:
    per_gpu = scenario.prefill_tokens if phase == "prefill" else scenario.decode_tokens
    return per_gpu * scenario.gpus


def _mixes(rng: np.random.Generator, scenario: Scenario) -> Floats:
    """Share of each domain, [1 + intervals, steps, domains]."""
    intervals, steps = scenario.intervals + 1, scenario.steps
    base, other, third = rng.dirichlet(np.full(DOMAINS, 0.5), size=3) * 0.85 + 0.15 / DOMAINS
    time = np.arange(intervals * steps) / (intervals * steps)
    which = np.arange(intervals * steps) // steps
    mix = _course(rng, scenario, time, which, np.stack([base, other, third]))
    mix = mix * np.exp(_wander(rng, len(mix), scenario.interval / steps))
    mix /= mix.sum(axis=1, keepdims=True)
    return np.asarray(mix.reshape(intervals, steps, DOMAINS))


def _wander(rng: np.random.Generator, stretches: int, length: float) -> Floats:
    """Stationary AR(1) noise of the log shares, [stretches, domains]; a stretch is `length` engine steps."""
    kept = np.exp(-length / WANDER_STEPS)
    noise = rng.normal(0.0, WANDER, (stretches, DOMAINS))
    for stretch in range(1, stretches):
        noise[stretch] = kept * noise[stretch - 1] + np.sqrt(1 - kept**2) * noise[stretch]
    return noise


def _course(rng: np.random.Generator, scenario: Scenario, time: Floats, which: np.ndarray, mixes: Floats) -> Floats:
    """The mix at each stretch before noise, by the kind of drift."""
    base, other = mixes[0], mixes[1]
    steady = np.tile(base, (len(time), 1))
    match scenario.drift:
        case "steady":
            return np.asarray(steady)
        case "drift":  # from one mix to another over the whole trace, as over hours of a day
            return np.asarray(steady + time[:, None] * (other - base))
        case "shift":  # once, for good, in the middle half of the trace
            return np.asarray(np.where((time > rng.uniform(0.25, 0.75))[:, None], other, steady))
        case "recurring":  # two tenants take turns, each for one interval
            return np.asarray(mixes[which % 2])
        case "rotation":  # three take turns
            return np.asarray(mixes[which % 3])
        case "burst":  # now and then one domain floods a fifth of an interval, more often than not near its end
            return _bursts(rng, scenario, steady, share=0.7)
        case "surge":  # drift and bursts at once
            return _bursts(rng, scenario, steady + time[:, None] * (other - base), share=0.5)


def _bursts(rng: np.random.Generator, scenario: Scenario, mix: Floats, share: float) -> Floats:
    steps = scenario.steps
    length = max(1, steps // 5)
    for interval in range(scenario.intervals + 1):
        if rng.random() < 0.6:
            start = interval * steps + int(np.floor(np.sqrt(rng.random()) * (steps - length + 1)))
            flood = np.eye(DOMAINS)[rng.integers(DOMAINS)]
            mix[start : start + length] = (1 - share) * mix[start : start + length] + share * flood
    return mix


def _windows(scenario: Scenario, router: Router, mix: Floats, per_step: np.ndarray) -> Floats:
    """Tokens per expert in the window before each interval, [intervals, layers, experts].

    The window's steps are many (1,000), so their expectation over its stretches stands for their sum.
    """
    stretches = max(1, round(scenario.steps * scenario.window / scenario.interval))
    seen = slice(scenario.steps - stretches, scenario.steps)
    by_domain = np.einsum("tsd,s->td", mix[:-1, seen], per_step[seen].astype(np.float64))
    scale = scenario.window / stretches
    return np.asarray(np.einsum("td,lde->tle", by_domain, router.usage) * scale)


def _draw_types(
    rng: np.random.Generator, mix: Floats, phases: tuple[Phase, ...], per_step: np.ndarray, router: Router
) -> np.ndarray:
    """Tokens per type in each sampled step, int32 [intervals, steps, types].

    Sequences have one domain each: a prefill step holds few long ones, so its mix varies more than that of a decode
    step, to which every running sequence gives one token.
    """
    drawn = np.empty((*mix.shape[:2], DOMAINS * TYPES), dtype=np.int32)
    for step, phase in enumerate(phases):
        length = PREFILL_LENGTH if phase == "prefill" else 1
        sequences = max(1, int(per_step[step]) // length)
        domains = rng.multinomial(sequences, mix[:, step])  # [intervals, domains]
        tokens = domains * (int(per_step[step]) // sequences)
        tokens[:, 0] += int(per_step[step]) - tokens.sum(axis=1)
        drawn[:, step] = rng.multinomial(tokens, router.frequency).reshape(len(mix), -1)
    return drawn


def _count(experts: np.ndarray, types: np.ndarray, size: int) -> np.ndarray:
    """Tokens per expert in one layer, int32 [intervals, steps, experts]."""
    member = np.zeros((len(experts), size))
    member[np.arange(len(experts))[:, None], experts] = 1.0
    counts: np.ndarray = np.rint(types @ member).astype(np.int32)
    return counts
