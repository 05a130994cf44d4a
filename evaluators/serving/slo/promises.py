"""What the service promises: times to the first token and between tokens, as multiples of what the deployment can do.

- Time between tokens: 5 (strict) or 25 times (relaxed) a decode iteration of 32 requests with 4k tokens each (Agrawal
  et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI 2024, section 5.1); where the
  KV cache holds less, with as much as it holds.
- Time to the first token: 6 times that of the prompt alone on an idle instance, the slowdown allowed at the 99th
  percentile by Patel et al., "Splitwise: Efficient Generative LLM Inference Using Phase Splitting" (ISCA 2024, table
  VI), times 5 if relaxed; but no less than the time between tokens.

A request is served well if it meets both, every one of its gaps counting (DistServe, OSDI 2024, counts requests that
meet both; its mean over a request's gaps would hide stalls).
"""

from __future__ import annotations

from dataclasses import replace

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.request import Request

STRICT, RELAXED = 5.0, 25.0  # times a decode iteration
REFERENCE_BATCH, REFERENCE_CONTEXT = 32, 4096
FIRST_TOKEN = 6.0  # times the prompt alone, if strict


def seconds(deployment: Deployment, batch: Batch) -> float:
    """What an iteration takes."""
    return deployment.cost.overhead(batch) + deployment.cost.layers(batch)


def decode_seconds(deployment: Deployment) -> float:
    """The reference decode iteration."""
    size = REFERENCE_BATCH
    context = min(size * REFERENCE_CONTEXT, deployment.kv_blocks * deployment.block_size)
    return seconds(deployment, Batch(size, size, size, 0, 0, size, context))


def alone_seconds(deployment: Deployment, prompt_tokens: int) -> float:
    """The time to the first token on an idle instance, in iterations as long as they may be."""
    total = 0.0
    for before in range(0, prompt_tokens, deployment.max_batch_tokens):
        tokens = min(prompt_tokens - before, deployment.max_batch_tokens)
        last = before + tokens == prompt_tokens
        total += seconds(deployment, Batch(tokens, 1, int(last), tokens * (tokens + 2 * before), before))
    return total


def promised(deployment: Deployment, request: Request, multiple: float) -> Request:
    """The request with its SLOs; `multiple` is STRICT or RELAXED."""
    tbt = multiple * decode_seconds(deployment)
    first = multiple / STRICT * FIRST_TOKEN * alone_seconds(deployment, request.prompt_tokens)
    return replace(request, ttft_slo=max(first, tbt), tbt_slo=tbt)
