"""The cluster as a whole: nothing is lost or invented, theory holds where it applies, and instances cost their time."""

from __future__ import annotations

import random
from math import factorial

import numpy as np
import pytest
from cluster_cases import Random, Scripted, check_whole, even, requests_of, setting
from serving_cases import UNIT, requests_at_random, served, shared_at_random

from evaluators.serving.cluster.fragmentation import fragmented_share
from evaluators.serving.cluster.migrator import Move
from evaluators.serving.cluster.round_robin import RoundRobin
from evaluators.serving.cluster.simulator import Changes, Cluster
from evaluators.serving.engine.step import Refused
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request


@pytest.mark.parametrize("sharing", [False, True])
def test_one_instance_is_the_engine_itself(sharing: bool) -> None:
    rng = random.Random(3)
    deployment = even(kv_blocks=120, max_batch_tokens=64, max_sequences=12)
    requests = requests_at_random(rng, 150, 60, 40, 9000)
    requests = shared_at_random(rng, requests, 4) if sharing else requests
    outcome = Cluster(setting(deployment, 1, prefix_cache=sharing), RoundRobin()).run(requests)
    columns = served(deployment, VllmV1(), requests, sharing).recorder.columns()
    assert outcome.ids.tolist() == columns["id"].tolist()
    assert outcome.e2e == pytest.approx(columns["finished_at"] - columns["arrival"])
    assert outcome.ttft == pytest.approx(columns["first_token_at"] - columns["arrival"])
    assert outcome.preemptions.tolist() == columns["preemptions"].tolist()
    assert sharing or outcome.preemptions.sum() > 0


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_decided_every_request_is_served_once_and_in_full(seed: int) -> None:
    """`Random` looks at each decision that nothing is at two places and no block is lost."""
    rng = random.Random(seed)
    deployment = even(kv_blocks=90, max_batch_tokens=50, max_sequences=10)
    requests = requests_at_random(rng, 200, 50, 60, 4000)
    sharing = seed % 2 == 1
    requests = shared_at_random(rng, requests, 4) if sharing else requests
    cluster = Cluster(setting(deployment, 4, ready=2, prefix_cache=sharing), Random(rng))
    outcome = cluster.run(requests)
    check_whole(cluster)
    assert sorted(outcome.ids.tolist()) == [request.id for request in requests]
    assert outcome.migrations > 20 and outcome.handed_over > 0
    columns = cluster.recorder.columns()
    computed = columns["prompt_tokens"] + columns["output_tokens"] - 1 - columns["cached_tokens"]
    assert cluster.recorder.computed_tokens == computed.sum() + columns["recomputed_tokens"].sum()
    gaps = columns["output_tokens"].sum() - len(requests)
    assert cluster.recorder.gaps.count == gaps  # between tokens, over migrations and preemptions too
    assert np.all(outcome.ttft > 0) and np.all(outcome.e2e >= outcome.ttft)


def test_when_all_is_served_all_memory_is_free() -> None:
    rng = random.Random(11)
    cluster = Cluster(setting(even(kv_blocks=90, max_sequences=10), 3), Random(rng))
    cluster.run(requests_at_random(rng, 150, 50, 60, 4000))
    for node in cluster.nodes:
        if not (node.sending or node.receiving):
            assert node.engine.kv.in_use == 0


def test_queues_of_single_servers() -> None:
    """Instances that serve one request at a time: split at random each is an M/G/1 queue (Pollaczek and Khinchine);
    in turn they do better, and better still by the shortest queue, but not as one line for all (M/M/c, Erlang C)."""
    rng = np.random.default_rng(5)
    servers, load, count = 3, 0.5, 4000
    idle = setting(even(kv_blocks=1 << 16, max_sequences=1), servers, tick=1e9)
    outputs = 1 + rng.geometric(1 / 30, count)
    apart = [Request(i, 1e3 * i, 10, int(n)) for i, n in enumerate(outputs[:300])]
    service = Cluster(idle, RoundRobin()).run(apart).e2e
    mean, squares = float(service.mean()), float((service**2).mean())
    arrivals = np.cumsum(rng.exponential(mean / servers / load, count))
    requests = [Request(i, float(at), 10, int(n)) for i, (at, n) in enumerate(zip(arrivals, outputs, strict=True))]

    class Shortest(RoundRobin):
        def route(self, now: float, request: Request, cluster: Cluster) -> int:
            return min(cluster.nodes, key=lambda node: len(node.engine.waiting) + len(node.engine.running)).id

    split = Scripted(lambda request: int(rng.integers(servers)))
    at_random, in_turn, shortest = (
        float(Cluster(idle, way).run(requests).e2e.mean()) for way in (split, RoundRobin(), Shortest())
    )
    queue = load / mean * squares / (2 * (1 - load))
    assert at_random == pytest.approx(mean + queue, rel=0.1)
    offered = load * servers
    all_busy = offered**servers / factorial(servers) / (1 - load)
    all_busy /= sum(offered**k / factorial(k) for k in range(servers)) + all_busy
    one_line = mean * (1 + all_busy / (servers * (1 - load)))
    assert 0.95 * one_line < shortest < in_turn < at_random


def test_littles_law() -> None:
    """Requests in the cluster, looked at often, are on average their rate times their time in it."""
    rng = random.Random(9)
    requests = requests_at_random(rng, 400, 40, 60, 3000, exact=False)
    present: list[int] = []

    def look(now: float, cluster: Cluster) -> Changes:
        present.append(sum(len(node.engine.waiting) + len(node.engine.running) for node in cluster.nodes))
        return Changes()

    cluster = Cluster(setting(even(), 2, tick=500 * UNIT), Scripted(lambda request: request.id % 2, look))
    outcome = cluster.run(requests)
    assert np.mean(present) == pytest.approx(outcome.e2e.sum() / outcome.end, rel=0.01)


def test_energy_is_of_computing_and_of_standing_idle() -> None:
    """One request, prompt and two decodes: three iterations at one of two instances, whose toy power is known."""
    cluster = Cluster(setting(even(), 2), RoundRobin())
    outcome = cluster.run([Request(0, 0.25, 10, 3)])
    prefill = float(outcome.ttft[0])
    decodes = float(outcome.e2e[0]) - prefill
    joules = 100.0 * prefill + 101.0 * decodes + 20.0 * (2 * outcome.end - prefill - decodes)
    assert outcome.joules_with_idle_per_token == pytest.approx(joules / 13)


# Instances that start and stop


def test_instance_seconds_by_hand() -> None:
    """One is started at 1 s and stopped at 3 s while it serves; it costs until its last request ends, the other all."""
    requests = [Request(0, 0.0, 10, 1000), Request(1, 2.5, 10, 300), Request(2, 2.6, 10, 10)]
    ticks: list[str] = []

    def change(now: float, cluster: Cluster) -> Changes:
        ticks.append(cluster.nodes[1].state)
        return {1: Changes(start=[1]), 3: Changes(stop=[1])}.get(len(ticks), Changes())

    def where(request: Request) -> int:
        return int(request.id == 1)

    cluster = Cluster(setting(even(), 2, ready=1, tick=1.0, load_seconds=0.7), Scripted(where, change))
    outcome = cluster.run(requests)
    ends = dict(zip(outcome.ids.tolist(), (outcome.e2e).tolist(), strict=True))
    assert ticks[:4] == ["stopped", "ready", "ready", "draining"] and ticks[-1] == "stopped"
    assert outcome.end == pytest.approx(ends[0])
    assert outcome.instance_seconds == pytest.approx(outcome.end + 2.5 + ends[1] - 1.0)


def test_an_instance_that_drains_can_be_kept_without_loading_again() -> None:
    states: list[str] = []

    def change(now: float, cluster: Cluster) -> Changes:
        states.append(cluster.nodes[1].state)
        return {1: Changes(stop=[1]), 2: Changes(start=[1])}.get(len(states), Changes())

    requests = requests_of([0, 0], 10, 300)
    quick = setting(even(), 2, tick=0.1, load_seconds=50.0)
    outcome = Cluster(quick, Scripted(lambda request: request.id, change)).run(requests)
    assert states[:4] == ["ready", "draining", "ready", "ready"]
    assert outcome.instance_seconds == pytest.approx(2 * outcome.end)


def test_waiting_moves_do_not_keep_a_request_from_being_served() -> None:
    """Two instances that hand all who wait to each other at each tick still serve them: an arrival keeps its place."""

    def swap(now: float, cluster: Cluster) -> Changes:
        return Changes([Move(each, node.id, 1 - node.id) for node in cluster.nodes for each in node.engine.waiting])

    deployment = even(kv_blocks=60, max_sequences=2)
    outcome = Cluster(setting(deployment, 2), Scripted(lambda request: 0, swap)).run(requests_of(range(40), 50, 50))
    assert len(outcome.ids) == 40


def test_what_never_ends_is_refused() -> None:
    with pytest.raises(Refused, match=r"2 of 2 requests are not finished after 0 s"):
        Cluster(setting(even(), 1), RoundRobin()).run(requests_of([0, 0], 10, 1000), latest=0.1)


# Fragmentation


def test_fragmentation_by_hand() -> None:
    """The paper's example: 8 units are free in all, and three heads of lines want 3 each. Two would fit: 6 units."""
    deployment = even(kv_blocks=10)
    nodes = Cluster(setting(deployment, 4), RoundRobin()).nodes
    for node in nodes:
        node.engine.kv.reserve(8)
    assert fragmented_share(nodes) == 0.0  # nobody waits
    for node, request in zip(nodes, requests_of([0, 0, 0], 12, 3), strict=False):
        node.engine.submit(request, 0.0)
    assert fragmented_share(nodes) == pytest.approx(6 / 40)
    nodes[0].engine.kv.unreserve(1)  # now 3 are free there: it fits at home
    assert fragmented_share(nodes) == pytest.approx(6 / 40)
    nodes[1].engine.kv.unreserve(1)
    assert fragmented_share(nodes) == pytest.approx(3 / 40)
    nodes[3].state = "stopped"
    assert fragmented_share(nodes) == pytest.approx(3 / 30)


def test_fragmentation_is_the_mean_over_the_ticks() -> None:
    shares: list[float] = []

    def look(now: float, cluster: Cluster) -> Changes:
        shares.append(fragmented_share(cluster.nodes))
        return Changes()

    requests = [Request(id, 0.0, 24 + id, 9) for id in range(8)]
    cluster = Cluster(setting(even(kv_blocks=12), 3, tick=3000 * UNIT), Scripted(lambda request: request.id % 3, look))
    assert cluster.run(requests).fragmentation == pytest.approx(np.mean(shares))
    assert max(shares) > 0
