"""The traffic that policies are scored on, by regime and split.

A regime is a mixture of experts on GPUs, a kind of prompts, SLOs and a range of loads: within a workload the rate of
arrivals rises evenly from the low to the high end. Train and validation use fixed seeds, test draws its seeds from the
salt; validation and test each add regimes that no other split shows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cost.deployment import Deployment, Limits, deployment
from evaluators.serving.request import Request
from evaluators.serving.traffic.arrivals import POISSON, Gamma, Gaps
from evaluators.serving.traffic.azure import CODE, CONVERSATION
from evaluators.serving.traffic.burstgpt import BURSTGPT
from evaluators.serving.traffic.modulation import Profile
from evaluators.serving.traffic.sarathi import CHAT, PAPERS
from evaluators.serving.traffic.stream import Traffic

INSTANCES = Instances(train=2, validation=3, test=3)
LIMITS = Limits(max_batch_tokens=16_384, max_sequences=256)
STEPS = 16  # in which the rate rises

LENGTHS = {traffic.name: (traffic.prompts, traffic.answers) for traffic in (CHAT, PAPERS, CONVERSATION, CODE, BURSTGPT)}


@dataclass(frozen=True)
class Scenario:
    """A deployment, the requests that come to it, and what they are promised.

    Args:
        model, gpu, gpus: See `evaluators.serving.cost.deployment.deployment`.
        traffic: A name in `LENGTHS`, the prompts and answers of some traffic.
        low, high: Requests a second at the beginning and at the end.
        ttft_slo, tbt_slo: Seconds.
        burstiness: Coefficient of variation of the gaps between arrivals; 1 is Poisson.
    """

    model: str
    gpu: str
    gpus: int
    traffic: str
    low: float
    high: float
    ttft_slo: float
    tbt_slo: float
    burstiness: float = 1.0
    requests: int = 200
    seed: int = 0


_QWEN_H100 = ("Qwen3-30B-A3B", "H100", 1)
_QWEN_A100 = ("Qwen3-30B-A3B", "A100", 1)
_MIXTRAL_H100 = ("Mixtral-8x7B", "H100", 2)
_MIXTRAL_A100 = ("Mixtral-8x7B", "A100", 2)

# Loads from half of to beyond what chunked prefill sustains.
FAMILIAR: dict[str, Scenario] = {
    "qwen-h100-papers": Scenario(*_QWEN_H100, PAPERS.name, 0.9, 2.7, ttft_slo=3.0, tbt_slo=0.05),
    "qwen-a100-papers": Scenario(*_QWEN_A100, PAPERS.name, 0.3, 1.1, ttft_slo=5.0, tbt_slo=0.1),
    "qwen-h100-chat": Scenario(*_QWEN_H100, CHAT.name, 1.5, 4.0, ttft_slo=1.5, tbt_slo=0.045),
    "mixtral-h100-papers": Scenario(*_MIXTRAL_H100, PAPERS.name, 1.2, 3.6, ttft_slo=3.0, tbt_slo=0.06),
    "qwen-a100-conversation": Scenario(*_QWEN_A100, CONVERSATION.name, 2.5, 7.5, ttft_slo=1.5, tbt_slo=0.08),
    "mixtral-a100-chat": Scenario(*_MIXTRAL_A100, CHAT.name, 1.0, 3.0, ttft_slo=2.0, tbt_slo=0.2),
    "qwen-h100-code-bursty": Scenario(*_QWEN_H100, CODE.name, 4.0, 12.0, ttft_slo=1.0, tbt_slo=0.05, burstiness=3.0),
}
VALIDATION_ONLY: dict[str, Scenario] = {
    "qwen-a100-burstgpt": Scenario(*_QWEN_A100, BURSTGPT.name, 6.0, 20.0, ttft_slo=1.0, tbt_slo=0.07, burstiness=1.4),
    "mixtral-h100-conversation": Scenario(*_MIXTRAL_H100, CONVERSATION.name, 8.0, 24.0, ttft_slo=1.0, tbt_slo=0.1),
}
SHIFTED: dict[str, Scenario] = {
    "qwen-h100-papers-loose": Scenario(*_QWEN_H100, PAPERS.name, 1.0, 3.5, ttft_slo=5.0, tbt_slo=0.1),
    "qwen-h100-conversation-bursty": Scenario(
        *_QWEN_H100, CONVERSATION.name, 4.0, 12.0, ttft_slo=1.0, tbt_slo=0.05, burstiness=2.5
    ),
    "mixtral-a100-papers": Scenario(*_MIXTRAL_A100, PAPERS.name, 0.4, 1.2, ttft_slo=10.0, tbt_slo=0.2),
    "mixtral-h100-code": Scenario(*_MIXTRAL_H100, CODE.name, 4.0, 12.0, ttft_slo=1.0, tbt_slo=0.04),
    "qwen-a100-chat-strict": Scenario(*_QWEN_A100, CHAT.name, 0.8, 2.4, ttft_slo=2.0, tbt_slo=0.07),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """See `list_generated`."""
    return list_generated("moe_prefill", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES, VALIDATION_ONLY)


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}


def requests_of(scenario: Scenario) -> list[Request]:
    """In order of arrival."""
    prompts, answers = LENGTHS[scenario.traffic]
    mean = (scenario.low + scenario.high) / 2
    traffic = Traffic("ramp", prompts, answers, _gaps(scenario.burstiness), _ramp(scenario, mean))
    return [
        replace(request, ttft_slo=scenario.ttft_slo, tbt_slo=scenario.tbt_slo)
        for request in traffic.requests(mean, scenario.seed, count=scenario.requests)
    ]


@cache
def deployment_of(model: str, gpu: str, gpus: int) -> Deployment:
    """With room for batches of whole prompts."""
    return deployment(model, gpu, gpus, limits=LIMITS)


def _gaps(burstiness: float) -> Gaps:
    return POISSON if burstiness == 1.0 else Gamma(burstiness)


def _ramp(scenario: Scenario, mean: float) -> Profile:
    """Levels from low to high; the time is that in which the requests come at the mean rate."""
    seconds = scenario.requests / mean / STEPS
    rise = (scenario.high - scenario.low) / STEPS
    return Profile(tuple((seconds, (scenario.low + rise * (step + 0.5)) / mean) for step in range(STEPS)))
