"""The streams of requests that policies are scored on, by regime and split.

A regime is a deployment, a kind of traffic and a rate; its seeds are its instances. Train and validation use fixed
seeds, test draws its seeds from the salt; validation and test each add regimes that no other split shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from adrs.evaluation.generated import Instances, list_generated
from adrs.evaluation.protocol import Split, Workload
from evaluators.serving.cluster.migration import Network
from evaluators.serving.cluster.powerlaw import LONG, MEDIUM, SHORT
from evaluators.serving.cluster.simulator import Setting
from evaluators.serving.cost.deployment import Deployment, deployment
from evaluators.serving.request import Request
from evaluators.serving.traffic.arrivals import Gamma
from evaluators.serving.traffic.azure import CODE, CONVERSATION
from evaluators.serving.traffic.burstgpt import BURSTGPT
from evaluators.serving.traffic.lengths import Lognormal
from evaluators.serving.traffic.modulation import Profile
from evaluators.serving.traffic.sessions import SessionProfile
from evaluators.serving.traffic.stream import Traffic

INSTANCES = Instances(train=1, validation=3, test=3)  # of each regime
TICK = 0.5  # seconds between two calls of `rebalance`

# Llumnix's cluster (section 6.1): four A10 share a network of 64 Gb/s; a migration's downtime is 20 to 30 ms, of which
# copying a block of LLaMA-7B takes 4 ms.
A10_NETWORK = Network(bytes_per_second=64e9 / 8 / 4, handshake=0.02)
A100_NETWORK = Network(bytes_per_second=200e9 / 8, handshake=0.02)  # one port of 200 Gb/s for each GPU

# Llama-3.1-8B from safetensors on a local disk into an H100: 16.06 GB in 4.4 s (ServerlessLLM's published benchmark
# results). Weights alone: the start of an engine's process and its warm-up are left out.
LOAD_BYTES_PER_SECOND = 16.06e9 / 4.4


class Source(Protocol):
    """A kind of traffic."""

    def requests(
        self, rate: float, seed: int, count: int | None = None, seconds: float | None = None
    ) -> Iterator[Request]:
        """See `Traffic.requests`."""


# Conversations about a document: long first prompts, short turns, so that most of a prompt has been computed before,
# and a session comes back while that may still be cached.
DOCUMENTS = SessionProfile(
    "documents", key=7,
    single=0.2, more=4.0,
    systems=((0.7, 256), (0.3, 1024)),
    first=Lognormal(1500, 0.8, high=6000), later=Lognormal(60, 0.8, high=1000), answers=Lognormal(100, 0.7, high=800),
    gap=20.0, gap_sigma=0.8,
    longest=10_000,
)  # fmt: skip

# A morning: half of the mean rate, then twice, then again half, over ten minutes.
MORNING = Profile(((200.0, 0.5), (200.0, 2.0), (200.0, 0.5)))

SOURCES: dict[str, Source] = {
    "M-M": Traffic("M-M", MEDIUM, MEDIUM),
    "S-S bursty": Traffic("S-S", SHORT, SHORT, Gamma(4.0)),
    "M-M bursty": Traffic("M-M", MEDIUM, MEDIUM, Gamma(4.0)),
    "L-L bursty": Traffic("L-L", LONG, LONG, Gamma(2.0)),
    "M-L": Traffic("M-L", MEDIUM, LONG),
    "S-L": Traffic("S-L", SHORT, LONG),
    "L-S": Traffic("L-S", LONG, SHORT),
    "M-M morning": Traffic("M-M morning", MEDIUM, MEDIUM, modulation=MORNING),
    "conversation": CONVERSATION,
    "code": CODE,
    "burstgpt": BURSTGPT,
    "documents": DOCUMENTS,
}


@dataclass(frozen=True)
class Scenario:
    """A stream of requests and the cluster that serves it.

    Args:
        model, gpu, gpus, memory_share: See `deployment`.
        instances: Of the cluster, `ready` of them at the start.
        source: Of `SOURCES`.
        rate: Requests a second in the long run.
        high_priority: Share of the requests that have priority 1.
    """

    source: str
    rate: float
    requests: int
    instances: int
    ready: int
    model: str = "LLaMA-7B"
    gpu: str = "A10"
    gpus: int = 1
    memory_share: float = 0.9
    high_priority: float = 0.0
    prefix_cache: bool = False
    seed: int = 0

    def setting(self) -> Setting:
        """The cluster."""
        model = _deployment(self.model, self.gpu, self.gpus, self.memory_share)
        return setting_of(model, self.gpu, self.instances, self.ready, self.prefix_cache)

    def stream(self) -> list[Request]:
        """Its requests in order of arrival, none larger than an instance's KV cache."""
        model = _deployment(self.model, self.gpu, self.gpus, self.memory_share)
        room = model.kv_blocks * model.block_size
        drawn = SOURCES[self.source].requests(self.rate, self.seed, self.requests)
        urgent = np.random.default_rng([self.seed, 1]).random(self.requests) < self.high_priority
        return [
            replace(_cut(each, room), priority=int(high)) for each, high in zip(drawn, urgent.tolist(), strict=True)
        ]


def setting_of(on: Deployment, gpu: str, instances: int, ready: int, prefix_cache: bool = False) -> Setting:
    """A cluster of such instances, with the times of loading and migrating that go with the GPU."""
    return Setting(
        deployment=on,
        instances=instances,
        ready=ready,
        load_seconds=on.weight_bytes / on.gpus / LOAD_BYTES_PER_SECOND,
        network=A10_NETWORK if gpu == "A10" else A100_NETWORK,
        tick=TICK,
        prefix_cache=prefix_cache,
    )


def _cut(request: Request, room: int) -> Request:
    """The prompt that fits beside the answer; a prompt that others share is never cut."""
    prompt = min(request.prompt_tokens, room - request.output_tokens)
    if prompt < request.prompt_tokens and request.prefix:
        raise ValueError(f"request {request.id} of a session is larger than the KV cache of {room} tokens")
    return replace(request, prompt_tokens=prompt)


@cache
def _deployment(model: str, gpu: str, gpus: int, memory_share: float) -> Deployment:
    return deployment(model, gpu, gpus, memory_share=memory_share)


def _on_a100(scenario: Scenario) -> Scenario:
    """With Llama-3.1-8B on the A100 that has 40 GB, half of what the other has."""
    return replace(scenario, model="Llama-3.1-8B", gpu="A100", memory_share=0.45)


FAMILIAR: dict[str, Scenario] = {
    "code-scaling-6xA100": _on_a100(Scenario("code", 12.0, 900, 6, 2)),
    "medium-8xA10": Scenario("M-M", 4.5, 800, 8, 8),
    "medium-bursty-priorities-8xA10": Scenario("M-M bursty", 3.8, 800, 8, 8, high_priority=0.1),
    "long-bursty-scaling-8xA10": Scenario("L-L bursty", 1.3, 450, 8, 4),
    "documents-4xA100": _on_a100(Scenario("documents", 12.0, 1000, 4, 4, prefix_cache=True)),
    "conversation-6xA100": _on_a100(Scenario("conversation", 42.0, 1200, 6, 6)),
}
VALIDATION_ONLY: dict[str, Scenario] = {
    "burstgpt-scaling-6xA100": _on_a100(Scenario("burstgpt", 25.0, 1500, 6, 5)),
    "medium-to-long-10xA10": Scenario("M-L", 3.2, 800, 10, 10),
}
SHIFTED: dict[str, Scenario] = {
    "short-to-long-8xA10": Scenario("S-L", 2.1, 600, 8, 8),
    "long-to-short-16xA10": Scenario("L-S", 18.0, 1200, 16, 16),
    "medium-morning-12xA10": Scenario("M-M morning", 3.2, 1000, 12, 6),
    "short-bursty-priorities-6xA10": Scenario("S-S bursty", 26.0, 1200, 6, 6, high_priority=0.2),
    "documents-scaling-8xA100": _on_a100(Scenario("documents", 14.0, 1000, 8, 3, prefix_cache=True)),
}


def list_workloads(split: Split, salt: int) -> list[Workload]:
    """See `list_generated`."""
    return list_generated("serving_cluster", split, salt, FAMILIAR, SHIFTED, _parameters, INSTANCES, VALIDATION_ONLY)


def _parameters(scenario: Scenario, seed: int) -> dict[str, Any]:
    return asdict(scenario) | {"seed": seed}
