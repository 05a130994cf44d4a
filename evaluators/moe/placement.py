"""Placements: checking a policy's answer, the engine's initial one, replicas, and what a change of placement moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adrs.evaluation.protocol import WrongAnswer

Ints = npt.NDArray[np.int64]


def initial_placement(layers: int, experts: int, slots: int) -> Ints:
    """What vLLM starts from: all experts in index order, then the first ones again (EplbState, v0.10)."""
    return np.tile(np.arange(slots, dtype=np.int64) % experts, (layers, 1))


def check_placement(answer: Any, layers: int, experts: int, slots: int) -> Ints:
    """The answer as int64 [layers, slots].

    Raises:
        WrongAnswer: not an integer array of that shape, an index out of range, or an expert missing from a layer.
    """
    if not isinstance(answer, np.ndarray):
        raise WrongAnswer(f"expected an integer array [{layers}, {slots}], got {type(answer).__name__}")
    if answer.dtype.kind not in "iu":
        raise WrongAnswer(f"expected an integer array, got dtype {answer.dtype}")
    if answer.shape != (layers, slots):
        raise WrongAnswer(f"expected shape ({layers}, {slots}) = (layers, num_replicas), got {answer.shape}")
    outside = (answer < 0) | (answer >= experts)
    if outside.any():
        layer, slot = np.argwhere(outside)[0]
        value = answer[layer, slot]
        raise WrongAnswer(f"layer {layer}, slot {slot}: expert {value} is outside 0..{experts - 1}")
    placement: Ints = answer.astype(np.int64)
    missing = replica_counts(placement, experts) == 0
    if missing.any():
        layer, expert = np.argwhere(missing)[0]
        raise WrongAnswer(f"layer {layer}: expert {expert} has no replica; {int(missing[layer].sum())} are missing")
    return placement


def replica_counts(placement: Ints, experts: int) -> Ints:
    """Replicas of each expert, [layers, experts]."""
    layers = len(placement)
    keys = placement + np.arange(layers)[:, None] * experts
    return np.bincount(keys.ravel(), minlength=layers * experts).reshape(layers, experts)


@dataclass(frozen=True)
class Replicas:
    """A placement with each slot's place among the replicas of its expert."""

    placement: Ints  # [layers, slots]
    count: Ints  # [layers, slots]: replicas of the slot's expert
    rank: Ints  # [layers, slots]: 0..count-1, in slot order
    by_node: npt.NDArray[np.float64]  # [layers, experts, nodes]: share of an expert's replicas on each node

    @classmethod
    def of(cls, placement: Ints, experts: int, nodes: int) -> Replicas:
        layers, slots = placement.shape
        rows = np.arange(layers)[:, None]
        counts = replica_counts(placement, experts)
        order = np.argsort(placement, axis=1, kind="stable")
        first = np.cumsum(counts, axis=1) - counts  # where each expert's run starts in the sorted slots
        rank = np.empty_like(placement)
        rank[rows, order] = np.arange(slots) - np.take_along_axis(first, placement[rows, order], axis=1)
        on_node = np.zeros((layers, experts, nodes))
        np.add.at(on_node, (rows, placement, np.arange(slots) * nodes // slots), 1.0)
        return cls(placement, np.take_along_axis(counts, placement, axis=1), rank, on_node / counts[:, :, None])

    def deal(self, counts: npt.NDArray[np.int32]) -> Ints:
        """Tokens per slot [..., layers, slots] of tokens per expert [..., layers, experts].

        The tokens of an expert go to its replicas in turn (vLLM: position modulo replica count), so replicas differ by
        one token at most and none is lost.
        """
        tokens = np.take_along_axis(counts, self.placement.reshape((1,) * (counts.ndim - 2) + self.placement.shape), -1)
        dealt: Ints = (tokens + (self.count - 1 - self.rank)) // self.count
        return dealt


def resident(placement: Ints, experts: int, gpus: int) -> npt.NDArray[np.bool_]:
    """Whether each GPU holds each expert, [layers, gpus, experts]."""
    layers, slots = placement.shape
    held = np.zeros((layers, gpus, experts), dtype=np.bool_)
    held[np.arange(layers)[:, None], np.arange(slots) * gpus // slots, placement] = True
    return held


@dataclass(frozen=True)
class Moves:
    """Expert weights that GPUs must fetch to go from one placement to another: per-GPU set differences."""

    near: Ints  # [layers, gpus]: experts that some GPU of the same node holds
    far: Ints  # [layers, gpus]: experts that must come from another node

    @classmethod
    def between(cls, old: Ints, new: Ints, experts: int, nodes: int, gpus: int) -> Moves:
        before = resident(old, experts, gpus)
        fetched = resident(new, experts, gpus) & ~before
        layers = len(old)
        on_node = before.reshape(layers, nodes, gpus // nodes, experts).any(axis=2).repeat(gpus // nodes, axis=1)
        near = (fetched & on_node).sum(axis=2, dtype=np.int64)
        return cls(near, fetched.sum(axis=2, dtype=np.int64) - near)
