"""Noisy predictions of output lengths, for workloads that offer them: what a small model reads from the prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from evaluators.serving.request import Request


def with_lognormal_error(requests: Iterable[Request], sigma: float, seed: int) -> Iterator[Request]:
    """Predictions off by a log-normal factor of median 1, as a regression on the logarithm leaves them.

    What matters to a scheduler is their order. For answers whose logarithm deviates by s, Kendall's tau between
    predicted and true lengths is 2/pi asin(s / sqrt(s^2 + sigma^2)): with s = 0.86 (Azure conversations), sigma 0.6
    gives 0.61; learned rankers reach 0.5 to 0.7 (Fu et al., "Efficient LLM Scheduling by Learning to Rank", NeurIPS
    2024).
    """
    rng = np.random.default_rng(seed)
    for request in requests:
        factor = float(np.exp(sigma * rng.standard_normal()))
        yield replace(request, predicted_tokens=max(1, round(request.output_tokens * factor)))


def bucketed(requests: Iterable[Request], width: int, buckets: int, accuracy: float, seed: int) -> Iterator[Request]:
    """The upper end of a bucket, from a classifier that is right with a probability and else one bucket off.

    Buckets are of equal width, the last one open, as in Jin et al., "S3: Increasing GPU Utilization during Generative
    Inference for Higher Throughput", NeurIPS 2023, and in the classifying variant of Qiu et al., "Efficient Interactive
    LLM Serving with Proxy Model-based Sequence Length Prediction", 2024.
    """
    rng = np.random.default_rng(seed)
    for request in requests:
        bucket = min((request.output_tokens - 1) // width, buckets - 1)
        if rng.random() >= accuracy:
            bucket += 1 if bucket == 0 or (bucket < buckets - 1 and rng.random() < 0.5) else -1
        yield replace(request, predicted_tokens=(bucket + 1) * width)
