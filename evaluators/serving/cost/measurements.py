"""Measured times of a model on GPUs, from whatever source, and the profile that they make."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.fit import AttentionTime, fit_attention
from evaluators.serving.cost.profile import NOTHING, Grid, Profile


@dataclass(frozen=True, slots=True)
class Measurements:
    """Seconds of the parts of an iteration, each of the whole model: see `Profile` for the parts.

    Args:
        step: Host seconds of an iteration.
        sequence: Host seconds of each scheduled sequence.
        attention: Of batches of one chunk, of decoding sequences, or of both.
    """

    linear: Grid
    head: Grid
    attention: tuple[AttentionTime, ...]
    experts: Grid = NOTHING
    step: float = 0.0
    sequence: float = 0.0

    def profile(self) -> Profile:
        """The tables as measured; the attention coefficients fitted."""
        attention = fit_attention(self.linear, self.attention)
        return Profile(self.step, self.sequence, self.head, self.linear, attention, self.experts)


def chunk(before: int, tokens: int) -> Batch:
    """A batch of one chunk of `tokens` tokens of a prompt behind `before` tokens in the KV cache."""
    pairs = (before + tokens) ** 2 - before**2
    return Batch(tokens=tokens, sequences=1, sampled=1, pairs=pairs, reread=before)


def decoding(sequences: int, context: int) -> Batch:
    """A batch of `sequences` decoding sequences that attend to `context` tokens each."""
    return Batch(sequences, sequences, sequences, decodes=sequences, context=sequences * context)


def together(one: Batch, other: Batch) -> Batch:
    """Both in one iteration."""
    return Batch(
        one.tokens + other.tokens,
        one.sequences + other.sequences,
        one.sampled + other.sampled,
        one.pairs + other.pairs,
        one.reread + other.reread,
        one.decodes + other.decodes,
        one.context + other.context,
    )
