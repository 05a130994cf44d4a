"""The problem: its workloads, its scale, what policies see, and that published policies run on it."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cluster_cases import check_whole, even, requests_of, setting

from adrs.evaluation.protocol import Workload, WrongAnswer
from adrs.testing.direct import DirectPolicy
from evaluators.serving.cluster import ServingCluster, interface
from evaluators.serving.cluster.bound import Bounds
from evaluators.serving.cluster.powerlaw import LONG, MEDIUM, SHORT, PowerLaw
from evaluators.serving.cluster.score import PRIORITY_WEIGHT, Losses, Scale, tail
from evaluators.serving.cluster.simulator import Changes, Cluster
from evaluators.serving.cluster.views import instance_views, request_view, resident_views
from evaluators.serving.cluster.workloads import FAMILIAR, SHIFTED, VALIDATION_ONLY
from evaluators.serving.request import Request

SEEDS = Path(__file__).resolve().parents[2] / "seeds" / "serving_cluster"
POLICIES = sorted(path.stem for path in SEEDS.glob("*.py"))


def policy(name: str, monkeypatch: pytest.MonkeyPatch) -> DirectPolicy:
    monkeypatch.setitem(sys.modules, "interface", interface)
    return DirectPolicy.from_source((SEEDS / f"{name}.py").read_text())


def short(regime: str, requests: int) -> Workload:
    """The first train workload of a regime, cut."""
    workload = next(each for each in ServingCluster().workloads("train", 0) if each.regime == regime)
    return replace(workload, parameters={**workload.parameters, "requests": requests})


@pytest.mark.parametrize("regime", ["code-scaling-6xA100", "long-bursty-scaling-8xA10", "documents-4xA100"])
def test_published_policies_run_and_none_beats_a_bound(regime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, workload = ServingCluster(), short(regime, 60)
    limits = evaluator.bound(workload)
    for name in POLICIES:
        metrics = evaluator.run(workload, policy(name, monkeypatch))
        assert all(map(math.isfinite, metrics.values()))
        assert metrics["gap_closed"] <= limits["gap_closed"] <= 1.0
        assert all(metrics[key] >= limits[key] for key in ("ttft_tail_s", "e2e_tail_s", "instance_s"))
        assert name != "round_robin" or metrics["gap_closed"] == pytest.approx(0.0)


def test_the_same_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = short("documents-4xA100", 80)
    one, other = (ServingCluster().run(workload, policy("llumnix", monkeypatch)) for _ in range(2))
    assert one == other


def test_a_wrong_answer_says_so() -> None:
    idle = {"rebalance": lambda now, instances, residents: interface.Plan()}
    wrong = DirectPolicy({"route": lambda now, request, instances: 99, **idle})
    with pytest.raises(WrongAnswer, match="there is no instance 99"):
        ServingCluster().run(short("code-scaling-6xA100", 5), wrong)


def test_splits_share_no_stream_and_test_has_enough() -> None:
    evaluator = ServingCluster()
    lists = {split: evaluator.workloads(split, 0) for split in ("train", "validation", "test")}
    hashes = [workload.hash for listed in lists.values() for workload in listed]
    assert len(set(hashes)) == len(hashes)
    assert {workload.regime for workload in lists["train"]} == set(FAMILIAR)
    assert {workload.regime for workload in lists["validation"]} == {*FAMILIAR, *VALIDATION_ONLY}
    assert {workload.regime for workload in lists["test"]} == {*FAMILIAR, *SHIFTED}
    assert len({workload.cluster for workload in lists["test"]}) >= 24
    assert evaluator.workloads("test", 1)[0].hash != lists["test"][0].hash


# The scale


def test_scale_by_hand() -> None:
    scale = Scale(Losses(8.0, 100.0, 400.0), Losses(0.5, 50.0, 100.0))
    assert scale.gap_closed(scale.reference) == 0.0
    assert scale.gap_closed(scale.least) == pytest.approx(1.0)
    assert scale.gap_closed(Losses(2.0, 100.0, 400.0)) == pytest.approx(2 / 4 / 3)  # two of four halvings
    assert scale.gap_closed(Losses(8.0, 100.0, 800.0)) == pytest.approx(-1 / 2 / 3)
    narrow = Scale(Losses(0.6, 52.0, 400.0), Losses(0.5, 50.0, 100.0))
    assert narrow.gap_closed(narrow.least) < 0.6


def test_the_tail_is_the_mean_of_the_slowest_twentieth() -> None:
    assert tail(np.arange(1.0, 101.0)) == pytest.approx(98.0)
    assert tail(np.array([3.0, 7.0])) == 7.0
    limits = Bounds(np.array([1.0, 2.0]), np.array([5.0, 6.0]), 9.0)
    assert Losses.least(limits, np.array([PRIORITY_WEIGHT, 1.0])) == Losses(4.0, 20.0, 9.0)


# The lengths of Llumnix's traces


@pytest.mark.parametrize(
    ("lengths", "quantiles"),
    [(SHORT, (38, 113, 413, 1464)), (MEDIUM, (32, 173, 1288, 4208)), (LONG, (55, 582, 3113, 5166))],
)
def test_quantiles_of_the_papers_table(lengths: PowerLaw, quantiles: tuple[int, ...]) -> None:
    """P50, P80, P95 and P99 of table 1, which are those of one draw of 10,000."""
    drawn = lengths.draw(200_000, np.random.default_rng(1))
    assert drawn.max() <= 6144
    assert drawn.mean() == pytest.approx(lengths.mean, rel=0.02)
    assert np.quantile(drawn, (0.5, 0.8, 0.95, 0.99)) == pytest.approx(quantiles, rel=0.2)


# What a policy sees


def test_views_by_hand() -> None:
    """Three requests on two instances of 20 blocks of 4: one decodes, one waits behind it, one is elsewhere."""
    requests = [*requests_of([0, 1], 40, 60), Request(2, 0.02, 30, 40, priority=1)]
    seen: list[tuple[list[interface.Instance], list[interface.Resident]]] = []

    class Look:
        def route(self, now: float, request: Request, cluster: Cluster) -> int:
            return int(request.id == 2)

        def rebalance(self, now: float, cluster: Cluster) -> Changes:
            check_whole(cluster)
            seen.append((instance_views(cluster), resident_views(cluster)))
            return Changes()

    Cluster(setting(even(kv_blocks=25, max_sequences=1), 2, tick=0.05), Look()).run(requests)
    (first, second), residents = seen[0]
    assert [each.id for each in residents] == [0, 1, 2]
    running, waiting, other = residents
    assert (running.state, running.instance, running.tokens) == ("decode", 0, 40 + running.generated)
    assert (waiting.state, waiting.instance, waiting.generated, waiting.tokens) == ("waiting", 0, 0, 40)
    assert (other.instance, other.priority, other.arrived) == (1, 1, 0.02)
    assert (first.running, first.waiting, first.waiting_blocks, first.first_waiting_blocks) == (1, 1, 10, 10)
    assert (first.blocks, first.free_blocks) == (25, 25 - -(-(running.tokens - 1 + 1) // 4))
    assert (first.prefill_tokens, first.high_priority, second.high_priority, first.cached_tokens) == (40, 0, 1, 0)
    assert (second.state, second.sending, second.receiving) == ("ready", False, False)


def test_what_crosses_the_wall_has_no_length_of_an_answer() -> None:
    """Beside the test of all serving problems: the structures have no field for it."""
    fields = {
        name for each in (interface.Request, interface.Instance, interface.Resident) for name in each.__struct_fields__
    }
    assert not {name for name in fields if "output" in name or "answer" in name or "predict" in name}
    request = Request(1, 0.0, 10, 987_654, priority=1, session=5, turn=2)
    assert b"987654" not in msgspec.json.encode(request_view(request))
