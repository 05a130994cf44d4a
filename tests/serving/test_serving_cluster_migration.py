"""Live migration against its closed form, by hand, and what must not be lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from cluster_cases import SLOW_NETWORK, Scripted, even, requests_of, setting
from serving_cases import UNIT

from evaluators.serving.cluster.migration import Copy, Network
from evaluators.serving.cluster.migrator import Move
from evaluators.serving.cluster.simulator import Changes, Cluster
from evaluators.serving.request import Request


def stages_by_hand(tokens: int, rate: float, block: int, token_bytes: int, network: Network) -> tuple[list[int], float]:
    """Full blocks of each stage of a request that makes `rate` tokens a second, and the seconds until its last one."""
    stages, copied, now = [], 0, 0.0
    while blocks := int(tokens + rate * now + 1e-9) // block - copied:
        stages.append(blocks)
        copied += blocks
        now += network.handshake + blocks * block * token_bytes / network.bytes_per_second
    return stages, now


@pytest.mark.parametrize(("tokens", "rate"), [(8000, 25.0), (300, 40.0), (13_000, 5.0), (15, 30.0), (4096, 200.0)])
def test_stages_shrink_geometrically(tokens: int, rate: float) -> None:
    """LLaMA-7B's 512 KiB a token over 2 GB/s: the time to copy everything is that of a geometric series."""
    network, token_bytes, block = Network(2e9, 0.02), 524_288, 16
    stages, seconds = stages_by_hand(tokens, rate, block, token_bytes, network)
    copy = Copy(0, 0, 1)
    now, seen = 0.0, []
    while blocks := copy.next_stage(int(tokens + rate * now + 1e-9), block):
        copy.begin(blocks)
        seen.append(blocks)
        now += network.seconds(blocks * block * token_bytes)
    assert (seen, now) == (stages, pytest.approx(seconds))
    assert copy.stages == len(stages) and copy.copied == sum(stages)
    ratio = rate * token_bytes / network.bytes_per_second
    handshakes = len(stages) * network.handshake
    series = (tokens * token_bytes / network.bytes_per_second + handshakes) / (1.0 - ratio)
    assert now <= series + network.handshake
    assert now >= series - (1.0 + ratio) * block * token_bytes / network.bytes_per_second - handshakes
    assert all(later <= 1 + ratio * sooner + rate * network.handshake / block for sooner, later in pairwise(stages))


@dataclass
class Once:
    """Moves one request at the first tick at which it decodes."""

    request: int
    target: int
    done: bool = False
    times: list[float] = field(default_factory=list)

    def change(self, now: float, cluster: Cluster) -> Changes:
        for node in cluster.nodes:
            if not self.done and self.request in node.engine.decoding.members:
                self.done = True
                self.times.append(now)
                return Changes([Move(self.request, node.id, self.target)])
        return Changes()


def test_a_request_alone_loses_the_last_stage_and_no_token() -> None:
    """It is behind the one that stays by the downtime and by what it waits for the end of no iteration."""
    deployment = even(kv_blocks=1000)
    (alone,) = Cluster(setting(deployment, 2), Scripted()).run(requests_of([0], 50, 300)).e2e
    script = Once(0, 1)
    cluster = Cluster(setting(deployment, 2), Scripted(change=script.change))
    outcome = cluster.run(requests_of([0], 50, 300))
    assert outcome.migrations == 1 and outcome.aborted == 0
    assert outcome.e2e[0] == pytest.approx(alone + outcome.downtime, abs=1e-9)
    per_token, handshake = 64 / SLOW_NETWORK.bytes_per_second, SLOW_NETWORK.handshake
    assert handshake <= outcome.downtime <= handshake + (deployment.block_size + 1) * per_token
    assert cluster.recorder.computed_tokens == 50 + 299


def test_the_target_holds_what_was_copied_and_the_source_until_the_end() -> None:
    deployment = even(kv_blocks=1000)
    seen: list[tuple[int, int, int]] = []
    script = Once(0, 1)

    def change(now: float, cluster: Cluster) -> Changes:
        source, target = (node.engine.kv for node in cluster.nodes)
        seen.append((source.in_use, target.reserved, target.in_use))
        return script.change(now, cluster)

    slow = Network(bytes_per_second=64 / (2000 * UNIT), handshake=100 * UNIT)
    outcome = Cluster(setting(deployment, 2, network=slow), Scripted(change=change)).run(requests_of([0], 50, 300))
    assert outcome.migrations == 1
    copying = [(source, reserved) for source, reserved, _ in seen if reserved]
    assert len(copying) > 3  # ticks
    assert all(source >= reserved > 0 for source, reserved in copying)
    assert seen[-1][0] == 0 and seen[-1][1] == 0 and seen[-1][2] > 50 // 4


def test_without_room_at_the_target_nothing_moves() -> None:
    """The target's own request leaves too few blocks; the other one goes on where it is, as if nothing had been."""
    deployment = even(kv_blocks=60)
    script = Once(0, 1)
    plain = Cluster(setting(deployment, 2), Scripted(where=lambda request: request.id)).run(
        requests_of([0, 0], 120, 60)
    )
    dispatcher = Scripted(where=lambda request: request.id, change=script.change)
    outcome = Cluster(setting(deployment, 2), dispatcher).run(requests_of([0, 0], 120, 60))
    assert outcome.aborted == 1 and outcome.migrations == 0
    assert sorted(outcome.e2e) == pytest.approx(sorted(plain.e2e))


def test_a_request_that_ends_meanwhile_is_not_moved() -> None:
    slow = Network(bytes_per_second=64 / (20_000 * UNIT), handshake=100 * UNIT)
    script = Once(0, 1)
    cluster = Cluster(setting(even(kv_blocks=1000), 2, network=slow), Scripted(change=script.change))
    outcome = cluster.run(requests_of([0], 50, 40))
    assert script.done and outcome.migrations == 0
    assert cluster.nodes[1].engine.kv.in_use in (0, 50 // 4)  # given back when the stage ends
    assert cluster.nodes[1].receiving == bool(cluster.nodes[1].engine.kv.reserved)


def test_those_that_wait_move_at_once_and_keep_their_places() -> None:
    """Four wait behind a long one; the two in the middle go to an instance where others wait already."""
    deployment = even(kv_blocks=100, max_sequences=1)
    requests = requests_of([0, 0, 10, 20, 30, 40, 50, 60], 100, 200)
    order: list[list[int]] = []

    def change(now: float, cluster: Cluster) -> Changes:
        first, second = cluster.nodes
        order.append(list(second.engine.waiting))
        return (
            Changes([Move(3, 0, 1), Move(2, 0, 1)])
            if len(order) == 1 and {2, 3} <= set(first.engine.waiting)
            else Changes()
        )

    def where(request: Request) -> int:
        return 0 if request.id in (0, 2, 3, 4) else 1

    cluster = Cluster(setting(deployment, 2), Scripted(where, change))
    outcome = cluster.run(requests)
    assert order[0] == [5, 6, 7] and order[1] == [2, 3, 5, 6, 7]
    assert outcome.handed_over == 2 and outcome.migrations == 0
    assert len(outcome.ids) == len(requests)


def test_a_preempted_request_stays_ahead_of_those_handed_over() -> None:
    """1 is preempted by 0, and 3, which came before it and waits elsewhere, is handed over to its instance."""
    order: list[list[int]] = []

    def change(now: float, cluster: Cluster) -> Changes:
        first, second = cluster.nodes
        if 1 in first.engine.waiting and 3 in second.engine.waiting:
            return Changes([Move(3, 1, 0)])
        order.append([each for each in first.engine.waiting if {1, 3} <= set(first.engine.waiting)])
        return Changes()

    requests = [Request(0, 0.0, 20, 50), Request(1, 10 * UNIT, 20, 50), Request(2, 0.0, 20, 50)]
    early = Request(3, 5 * UNIT, 70, 5)
    arrivals = sorted([*requests, early], key=lambda request: request.arrival)
    cluster = Cluster(
        setting(even(kv_blocks=20), 2), Scripted(lambda request: 0 if request.id in (0, 1) else 1, change)
    )
    outcome = cluster.run(arrivals)
    assert [1, 3] in order and [3, 1] not in order
    assert outcome.handed_over == 1 and outcome.preemptions.sum() > 0


def test_one_at_a_time_from_and_to_an_instance() -> None:
    """Three leave one instance for two others: the second begins when the first has arrived."""
    deployment = even(kv_blocks=2000)
    begun: list[tuple[bool, bool, bool]] = []

    def change(now: float, cluster: Cluster) -> Changes:
        begun.append(tuple(node.sending or node.receiving for node in cluster.nodes))
        at_home = [each for each in cluster.nodes[0].engine.decoding.members if each not in cluster.migrator.moving]
        return Changes([Move(each, 0, 1 + each % 2) for each in at_home])

    outcome = Cluster(setting(deployment, 3), Scripted(change=change)).run(requests_of([0, 0, 0], 400, 300))
    assert outcome.migrations == 3
    assert (True, True, True) not in begun and ((True, True, False) in begun or (True, False, True) in begun)
