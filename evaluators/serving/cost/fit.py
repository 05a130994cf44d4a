"""Fits the attention coefficients of a profile to measured times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.profile import Attention, Grid

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AttentionTime:
    """The seconds that the attention of all layers takes for a batch."""

    batch: Batch
    seconds: float


def fit_attention(linear: Grid, times: Sequence[AttentionTime]) -> Attention:
    """The coefficients, none below 0, with the least squared error relative to what the layers take in all.

    Batches that only decode give `launch`, `sequence` and `context`; those of chunks alone, behind the same launch,
    `pair` and `reread`; those of both, if any were measured, `mixed`. Of the first two kinds at least one is needed.

    Args:
        linear: What the layers cost beside attention, by tokens: an error of attention matters less the more that is.
    """
    decodes = [time for time in times if time.batch.decodes == time.batch.sequences]
    chunks = [time for time in times if not time.batch.decodes]
    mixed = [time for time in times if 0 < time.batch.decodes < time.batch.sequences]
    sums = [(1.0, time.batch.decodes, time.batch.context) for time in decodes]
    launch, sequence, context = _solve(sums, [time.seconds for time in decodes], linear, decodes)
    beyond = [time.seconds - launch for time in chunks]
    pair, reread = _solve([(time.batch.pairs, time.batch.reread) for time in chunks], beyond, linear, chunks)
    found = Attention(launch, pair, reread, sequence, context)
    if not mixed:
        return found
    beyond = [time.seconds - _without_context(found, time.batch) for time in mixed]
    (factor,) = _solve([(context * time.batch.context,) for time in mixed], beyond, linear, mixed)
    return Attention(launch, pair, reread, sequence, context, max(1.0, factor))


def _without_context(attention: Attention, batch: Batch) -> float:
    chunks = attention.pair * batch.pairs + attention.reread * batch.reread
    return attention.launch + attention.sequence * batch.decodes + chunks


def _solve(
    rows: Sequence[tuple[float, ...]], seconds: Sequence[float], linear: Grid, times: Sequence[AttentionTime]
) -> tuple[float, ...]:
    """Coefficients >= 0 of the columns: those that come out negative are left out, and the rest fitted again."""
    weights = 1 / np.array([linear(time.batch.tokens) + time.seconds for time in times])
    matrix = np.array(rows, dtype=float) * weights[:, None]
    target = np.array(seconds) * weights
    kept = np.ones(matrix.shape[1], dtype=bool)
    found: Floats = np.zeros(matrix.shape[1])
    while kept.any():
        found[:] = 0.0
        scale = np.linalg.norm(matrix[:, kept], axis=0)
        scale[scale == 0] = 1.0  # nothing was measured of it: its coefficient is 0
        found[kept] = np.linalg.lstsq(matrix[:, kept] / scale, target, rcond=None)[0] / scale
        if (found >= 0).all():
            break
        kept &= found >= 0
    return tuple(float(value) for value in np.maximum(found, 0.0))
