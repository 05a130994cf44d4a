"""Small deployments that tests can compute by hand or search exhaustively."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from pathlib import Path

import numpy as np

from adrs.testing.direct import DirectPolicy
from evaluators.moe.cost import CostModel
from evaluators.moe.hardware import Cluster
from evaluators.moe.placement import Ints
from evaluators.moe.shapes import ModelShape
from evaluators.moe.timeline import Deployment
from evaluators.moe.trace import Phase, TokenTypes, Trace

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "moe_placement"

TINY = ModelShape(
    name="tiny", layers=1, experts=4, top_k=2, groups=1, top_groups=1, hidden=1024, intermediate=2048,
    shared_intermediate=0, weight_bytes=2, attention_params=4_000_000, kv_bytes=1024, attention_width=4096,
)  # fmt: skip


def policy(name: str) -> DirectPolicy:
    """A seed or baseline, or a file of tests/moe/policies, ready to be called."""
    path = SEEDS / f"{name}.py"
    if not path.exists():
        path = Path(__file__).parent / "policies" / f"{name}.py"
    return DirectPolicy.from_source(path.read_text(encoding="utf-8"))


def token_trace(choices: np.ndarray, tokens: np.ndarray, phase: Phase, experts: int) -> Trace:
    """A trace of token types: choices [layers, types, top_k], tokens [intervals, steps, types]."""
    intervals, steps, _ = tokens.shape
    layers = len(choices)
    counts = np.zeros((intervals, steps, layers, experts), dtype=np.int32)
    for layer, (kind, chosen) in product(range(layers), enumerate(choices.transpose(1, 0, 2))):
        for expert in chosen[layer]:
            counts[:, :, layer, expert] += tokens[:, :, kind]
    windows = counts.sum(axis=1).astype(np.float64)
    types = TokenTypes(choices.astype(np.int16), tokens.astype(np.int32))
    return Trace(windows, counts, (phase,) * steps, tokens.sum(axis=2).astype(np.int64), types)


def random_trace(rng: np.random.Generator, phase: Phase, model: ModelShape = TINY, scale: int = 2000) -> Trace:
    """Two intervals of three steps of five token types in one layer, very uneven."""
    choices = np.stack([rng.choice(model.experts, model.top_k, replace=False) for _ in range(5)])[None]
    tokens = (scale * rng.random((2, 3, 5)) ** 4).astype(np.int32) + 1
    return token_trace(choices, tokens, phase, model.experts)


def deployment(trace: Trace, slots: int, nodes: int = 1, gpus_per_node: int = 2, **options: bool) -> Deployment:
    cost = CostModel(TINY, Cluster(nodes, gpus_per_node))
    return Deployment(cost, trace, slots, 9000, options.get("asynchronous", True))


def placements(experts: int, slots: int, gpus: int) -> Iterator[Ints]:
    """Every placement of one layer, up to the order of slots within a GPU."""
    held = list(combinations_with_replacement(range(experts), slots // gpus))
    for choice in product(held, repeat=gpus):
        placement = np.array(choice, dtype=np.int64).reshape(1, slots)
        if len(np.unique(placement)) == experts:
            yield placement


def random_placement(rng: np.random.Generator, layers: int, experts: int, slots: int) -> Ints:
    rows = [np.concatenate([np.arange(experts), rng.integers(experts, size=slots - experts)]) for _ in range(layers)]
    return np.stack([rng.permutation(row) for row in rows])
