"""What an iteration computes in which layers, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence as Many
from itertools import pairwise
from typing import NamedTuple

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.power import PowerDraw
from evaluators.serving.cost.profile import IterationCost
from evaluators.serving.engine.sequence import Sequence
from evaluators.serving.engine.step import Chunk

Chunks = Many[tuple[Sequence, Chunk]]


class Part(NamedTuple):
    """A share of the layers with what passes them."""

    share: float
    batch: Batch


def batch_of(chunks: Chunks, decodes: int, context: int, layers: int) -> Batch:
    """The sums over chunks and over decoding sequences, of which `context` tokens in all are in the KV cache."""
    batch = Batch(decodes, decodes, decodes, 0, 0, decodes, context + decodes if decodes else 0)
    for sequence, chunk in chunks:
        before, tokens = sequence.computed, chunk.tokens
        batch.tokens += tokens
        batch.sequences += 1
        last = before + tokens == sequence.target
        batch.sampled += last and sequence.layers + passes(sequence, chunk, layers) == layers
        batch.pairs += tokens * (tokens + 2 * before)
        batch.reread += before
    return batch


def parts_of(batch: Batch, chunks: Chunks, layers: int, context: int) -> list[Part]:
    """A part for each stretch of layers that the same chunks pass; as a rule, one for all layers."""
    if all(chunk.layers is None and not sequence.layers for sequence, chunk in chunks):
        return [Part(1.0, batch)]
    spans = [(sequence.layers, sequence.layers + passes(sequence, chunk, layers)) for sequence, chunk in chunks]
    parts = []
    for low, high in pairwise(sorted({0, layers, *(cut for span in spans for cut in span)})):
        inside = [each for each, (start, end) in zip(chunks, spans, strict=True) if start <= low and high <= end]
        parts.append(Part((high - low) / layers, batch_of(inside, batch.decodes, context, layers)))
    return parts


def passes(sequence: Sequence, chunk: Chunk, layers: int) -> int:
    """How many layers a chunk passes in its iteration."""
    return layers - sequence.layers if chunk.layers is None else chunk.layers


def duration(cost: IterationCost, batch: Batch, parts: Many[Part]) -> float:
    """Seconds of an iteration: the layers are alike, so a share of them takes that share of the time."""
    return cost.overhead(batch) + sum(share * cost.layers(part) for share, part in parts if part.tokens)


def mean_watts(power: PowerDraw, cost: IterationCost, parts: Many[Part]) -> float:
    """What an iteration draws: each part of the layers what its batch draws, for as long as it takes."""
    if len(parts) == 1:
        return power.watts(parts[0].batch)
    draws = [(share * cost.layers(batch), power.watts(batch)) for share, batch in parts if batch.tokens]
    return sum(seconds * watts for seconds, watts in draws) / sum(seconds for seconds, _ in draws)
