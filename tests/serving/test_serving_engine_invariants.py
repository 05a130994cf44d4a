"""What holds in every run of the engine, whatever comes and whoever schedules."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from serving_cases import UNIT, ToyCost, requests_at_random, served, shared_at_random, toy

from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.cache import PrefixCache
from evaluators.serving.engine.instance import NEVER, Instance
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.step import Step
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request

SEEDS = range(25)


def under_pressure(seed: int, sharing: bool) -> tuple[Deployment, list[Request], VllmV1]:
    """An engine with little memory, what comes to it, and its scheduler."""
    rng = random.Random(f"pressure {seed} {sharing}")
    requests = requests_at_random(rng, 25, rng.choice([6, 30]), 25, rng.choice([1000, 12000]))
    if sharing:
        requests = shared_at_random(rng, requests, 3)
    blocks = max(-(-(each.prompt_tokens + each.output_tokens) // 4) for each in requests) + rng.choice([0, 5, 20])
    return toy(blocks, 4), requests, VllmV1(rng.choice([16, 64]), rng.choice([4, 12]))


def both() -> Iterator[tuple[Deployment, list[Request], VllmV1, bool]]:
    for sharing in (False, True):
        for seed in SEEDS:
            yield *under_pressure(seed, sharing), sharing


def records(instance: Instance) -> dict[str, list[float]]:
    """All that is known of the requests, in their order."""
    columns = instance.recorder.columns()
    order = np.argsort(columns["id"])
    return {name: column[order].tolist() for name, column in columns.items()}


class Impatient(VllmV1):
    """Has itself woken at every iteration, so that none is skipped; decides as ever. It counts blocks meanwhile."""

    def schedule(self, now: float, instance: Instance) -> Step:
        instance.wake_at = now
        instance.decoding.refresh()
        kv, size = instance.kv, instance.kv.block_size
        assert kv.free + kv.in_use == kv.total and kv.free >= 0
        blocks = [-(-(each.computed + each.chunk) // size) for each in instance.running.values()]
        if kv.cache is None:
            assert kv.in_use == sum(blocks)
        else:
            assert max(blocks, default=0) <= kv.in_use <= sum(blocks)
        return super().schedule(now, instance)


def test_skipping_iterations_changes_nothing() -> None:
    """Neither a time, nor a gap between tokens, nor energy. Only blocks in use are averaged over what is skipped."""
    asked = 0
    for deployment, requests, scheduler, sharing in both():
        skipping = served(deployment, scheduler, requests, sharing)
        patient = Impatient(scheduler._max_batch_tokens, scheduler._max_sequences)
        stepping = served(deployment, patient, requests, sharing)
        one, other = skipping.recorder, stepping.recorder
        assert records(skipping) == records(stepping)
        assert (one.iterations, one.computed_tokens) == (other.iterations, other.computed_tokens)
        assert (one.busy, one.joules) == (other.busy, other.joules)
        assert one.block_seconds == pytest.approx(other.block_seconds, rel=0.1)
        assert (one.gaps.count, one.gaps.mean) == (other.gaps.count, pytest.approx(other.gaps.mean, rel=1e-12))
        assert one.gaps.quantile(0.5) == pytest.approx(other.gaps.quantile(0.5), rel=0.0051)
        asked += other.iterations
    assert asked > 1000


def test_looking_at_any_time_changes_nothing() -> None:
    """Between arrivals, at the very ends of iterations, and many times within one."""
    rng = random.Random(6)
    for deployment, requests, scheduler, sharing in both():
        cache = PrefixCache(deployment.block_size) if sharing else None
        instance = Instance(deployment, scheduler, Recorder(), cache)
        now = 0.0
        for request in requests:
            while now < request.arrival:
                end = instance.next_end()
                now = min(request.arrival, rng.choice([end if end > now else NEVER, now + 500 * UNIT, NEVER]))
                instance.advance(now)
            instance.submit(request, now)
        instance.drain()
        assert records(instance) == records(served(deployment, scheduler, requests, sharing))


def test_an_arrival_at_the_end_of_an_iteration_is_served_in_the_next() -> None:
    """Whether that end was skipped or not."""
    deployment = toy(cost=ToyCost(context=64))
    long = Request(0, 0.0, 8, 40)
    ends: list[float] = []

    class Watched(Impatient):
        def schedule(self, now: float, instance: Instance) -> Step:
            ends.append(now)
            return super().schedule(now, instance)

    served(deployment, Watched(), [long])
    assert len(ends) == 40
    for id, end in enumerate(ends[1:], 1):
        instance = served(deployment, VllmV1(), [long, Request(id, end, 3, 2)])
        assert records(instance)["admitted_at"] == [0.0, end]


def test_tokens_are_conserved() -> None:
    """Prompts, answers but for the last token, and what was lost pass the layers; what the cache had does not."""
    for deployment, requests, scheduler, sharing in both():
        recorder = served(deployment, scheduler, requests, sharing).recorder
        columns = recorder.columns()
        needed = sum(each.prompt_tokens + each.output_tokens - 1 for each in requests)
        again = columns["recomputed_tokens"].sum() - columns["cached_tokens"].sum()
        assert recorder.computed_tokens == needed + again
        assert recorder.gaps.count == sum(each.output_tokens - 1 for each in requests)


def test_blocks_are_conserved() -> None:
    """When all is done nothing is in use, and all that the cache holds can be evicted."""
    for deployment, requests, scheduler, sharing in both():
        kv = served(deployment, scheduler, requests, sharing).kv
        assert (kv.in_use, kv.free) == (0, kv.total)
        if kv.cache is not None:
            assert 0 < kv.cache.blocks == kv.cache.evictable <= kv.total


def test_the_engine_never_rests_while_somebody_is_there() -> None:
    """Its busy time is that in which at least one request is in the system."""
    for deployment, requests, scheduler, sharing in both():
        instance = served(deployment, scheduler, requests, sharing)
        finished = records(instance)["finished_at"]
        occupied, until = 0.0, 0.0
        for arrival, end in sorted(zip((each.arrival for each in requests), finished, strict=True)):
            occupied += max(0.0, end - max(arrival, until))
            until = max(until, end)
        assert instance.recorder.busy == occupied


def test_littles_law() -> None:
    """Requests in the system, integrated over time as the engine shows them, are the times in the system, added up."""
    for deployment, requests, scheduler, sharing in both():
        instance = Instance(deployment, scheduler, Recorder(), PrefixCache(deployment.block_size) if sharing else None)
        integral = now = 0.0
        for request in [*requests, None]:
            until = NEVER if request is None else request.arrival
            while now < until and (present := len(instance.waiting) + len(instance.running)):
                instance.start()
                end = min(instance.next_end(), until)
                instance.advance(end)
                integral, now = integral + present * (end - now), end
            if request is not None:
                instance.submit(request, now := until)
        rows = records(instance)
        sojourns = sum(end - start for start, end in zip(rows["arrival"], rows["finished_at"], strict=True))
        assert integral == pytest.approx(sojourns, rel=1e-12)


def test_moving_between_idle_twins_changes_nothing() -> None:
    """A request that moves in no time at the ends of iterations fares as one that stays, and leaves no block behind."""
    rng, moves = random.Random(8), 0
    for _ in range(20):
        deployment, request = toy(20, 4), Request(0, 0.0, rng.randint(1, 30), rng.randint(2, 50))
        recorder = Recorder()
        here, there = (Instance(deployment, VllmV1(8, 1), recorder) for _ in range(2))
        here.submit(request, 0.0)
        while here.running or here.waiting:
            here.start()
            now = rng.uniform(here.clock, here.next_end())
            here.advance(now)
            here.interrupt(now)
            here.advance(end := here.next_end())
            if here.running and rng.random() < 0.8:
                here.decoding.refresh()
                assert there.reserve(-(-here.running[0].computed // 4), end)
                there.attach(here.detach(0), end)
                there.start()
                assert (here.kv.in_use, there.kv.reserved) == (0, 0)
                here, there, moves = there, here, moves + 1
        assert (here.kv.in_use, there.kv.in_use) == (0, 0)
        stayed = served(deployment, VllmV1(8, 1), [request]).recorder
        assert {name: column.tolist() for name, column in recorder.columns().items()} == {
            name: column.tolist() for name, column in stayed.columns().items()
        }
        assert (recorder.busy, recorder.computed_tokens) == (stayed.busy, stayed.computed_tokens)
        assert recorder.gaps.count == stayed.gaps.count == request.output_tokens - 1
    assert moves > 50


def renamed(requests: Sequence[Request], names: Sequence[int]) -> list[Request]:
    return [replace(each, id=name) for each, name in zip(requests, names, strict=True)]


def test_names_do_not_matter() -> None:
    """Requests with other ids, in another order of ids, fare the same."""
    rng = random.Random(7)
    for deployment, requests, scheduler, sharing in both():
        names = rng.sample(range(1000), len(requests))
        rows = records(served(deployment, scheduler, requests, sharing))
        other = records(served(deployment, scheduler, renamed(requests, names), sharing))
        by_name = np.argsort(names)
        for name in rows.keys() - {"id"}:
            assert [rows[name][place] for place in by_name] == other[name]


SCRIPT = """
from test_serving_engine_invariants import both, records, served
print([records(served(deployment, scheduler, requests, sharing))
       for deployment, requests, scheduler, sharing in both()])
"""


@pytest.mark.slow
def test_the_seed_of_hashes_does_not_matter() -> None:
    here = Path(__file__).resolve()
    outputs = set()
    for seed in ("0", "1", "2"):
        path = os.pathsep.join([str(here.parent), *sys.path])
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        outputs.add(subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, check=True).stdout)
    assert len(outputs) == 1 and outputs.pop()
