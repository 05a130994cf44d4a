"""Small deployments and random requests for tests of the serving engine."""

from __future__ import annotations

import random
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

from evaluators.serving.cost.batch import Batch
from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.scheduler import Scheduler
from evaluators.serving.engine.serve import serve
from evaluators.serving.request import Request, Segment

UNIT = 2.0**-20  # seconds: sums of whole multiples are exact in binary floating point


@dataclass(frozen=True)
class ToyCost:
    """Every sum of a batch costs something; all in UNITs. What a layer reads costs `weights` a pass, or by tokens."""

    step: int = 900
    sequence: int = 30
    sample: int = 50
    weights: int = 4000
    token: int = 100
    pair: int = 2
    reread: int = 1
    context: int = 4

    def overhead(self, batch: Batch) -> float:
        return UNIT * (self.step + self.sequence * batch.sequences + self.sample * batch.sampled)

    def layers(self, batch: Batch) -> float:
        linear = max(self.weights, self.token * batch.tokens)
        attention = self.pair * batch.pairs + self.reread * batch.reread
        return UNIT * (linear + attention) + batch.context * self.context_slope(batch.decodes)

    def context_slope(self, decodes: int) -> float:
        return UNIT * self.context * (1 + decodes % 3)


class FlatPower:
    """Watts that tell how many decode."""

    idle_watts = 20.0

    def watts(self, batch: Batch) -> float:
        return 100.0 + batch.decodes


def toy(
    kv_blocks: int = 1 << 20,
    block_size: int = 4,
    cost: ToyCost | None = None,
    max_batch_tokens: int = 1 << 20,
    max_sequences: int = 1 << 10,
    layers: int = 1,
) -> Deployment:
    return Deployment(
        name="toy",
        cost=cost or ToyCost(),
        power=FlatPower(),
        kv_blocks=kv_blocks,
        block_size=block_size,
        kv_token_bytes=64,
        gpus=1,
        host_bytes_per_second=64 * block_size / (128 * UNIT),  # 128 units a block
        weight_bytes=1,
        layers=layers,
        max_batch_tokens=max_batch_tokens,
        max_sequences=max_sequences,
    )


def served(deployment: Deployment, scheduler: Scheduler, requests: Several[Request], sharing: bool = False) -> Instance:
    """An engine that has answered all requests."""
    cache = PrefixCache(deployment.block_size) if sharing else None
    instance = Instance(deployment, scheduler, Recorder(), cache)
    serve(instance, requests)
    return instance


def requests_at_random(
    rng: random.Random, count: int, prompt: int, output: int, spread: int, exact: bool = True
) -> list[Request]:
    """In order of arrival, in `spread` UNITs on average; not `exact`: at times that are no multiples of any."""
    now, requests = 0.0, []
    for id in range(count):
        gap = rng.choice([0, 0, rng.randint(0, 2 * spread), rng.randint(0, 4 * spread)])
        now += (gap if exact else rng.expovariate(1 / (1 + gap))) * UNIT
        requests.append(Request(id, now, rng.randint(1, prompt), rng.randint(1, output), tenant=rng.randrange(3)))
    return requests


def shared_at_random(rng: random.Random, requests: Several[Request], streams: int) -> list[Request]:
    """The same requests with prompts that share streams: a few system prompts, each with conversations behind it."""
    systems = {key: rng.randint(1, 20) for key in range(streams)}
    parents = {100 + key: rng.randrange(-1, streams) for key in range(2 * streams)}  # -1: nothing in front
    shared = []
    for request in requests:
        before: tuple[Segment, ...] = ()
        if rng.random() < 0.2:
            shared.append(request)
            continue
        if rng.random() < 0.2:
            last = rng.randrange(streams)  # a system prompt, or a part of it
            tokens = rng.randint(1, systems[last])
        else:
            last = rng.choice(list(parents))
            tokens = rng.randint(1, 24)
            if parents[last] >= 0:
                before = (Segment(parents[last], systems[parents[last]]),)
        prefix = (*before, Segment(last, tokens))
        shared.append(replace(request, prompt_tokens=sum(each.tokens for each in prefix), prefix=prefix))
    return shared
