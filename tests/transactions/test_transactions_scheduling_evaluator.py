from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_cases import POLICIES, ROOT, batches, policy

from adrs.evaluation.local import LocalExecutor
from adrs.evaluation.protocol import SPLITS, Workload, WrongAnswer
from adrs.problem_file import load_problem
from adrs.testing.direct import DirectPolicy
from evaluators.transactions import TransactionScheduling
from evaluators.transactions.scheduling.evaluator import Batch, check_order
from evaluators.transactions.scheduling.makespan import makespan
from evaluators.transactions.scheduling.workloads import FAMILIAR, SHIFTED
from evaluators.transactions.transaction import Transaction

FAST = [name for name in POLICIES if name != "simulated_annealing"]


@pytest.fixture(scope="module")
def evaluator() -> TransactionScheduling:
    return TransactionScheduling()


def answering(order: list[int]) -> DirectPolicy:
    return DirectPolicy({"schedule": lambda _: order})


def test_interface_states_the_budget_of_the_problem(evaluator: TransactionScheduling) -> None:
    (function,) = evaluator.interface.functions
    limits = load_problem(ROOT / "problems" / "transaction_scheduling.yaml").limits
    assert (function.name, function.parameters) == ("schedule", ("transactions",))
    assert f"{limits.call_seconds:g} CPU seconds" in function.doc
    description = (ROOT / "problems" / "transaction_scheduling" / "description.md").read_text()
    assert f"{limits.call_seconds:g} CPU seconds" in description


def test_scale_runs_from_random_orders_to_the_bound(evaluator: TransactionScheduling) -> None:
    """The mean of random orders is 0 up to its sampling error, and so is arrival order, which is one of them."""
    workload = evaluator.workloads("train", 0)[0]
    rng = random.Random(5)
    scores = [evaluator.run(workload, answering(rng.sample(range(100), 100)))["gap_closed"] for _ in range(100)]
    assert abs(np.mean(scores)) < 4 * np.std(scores) * (1 / 64 + 1 / 100) ** 0.5
    assert abs(evaluator.run(workload, policy("arrival_order"))["gap_closed"]) < 4 * np.std(scores)


@pytest.mark.parametrize("name", FAST)
def test_metrics_agree_with_each_other(evaluator: TransactionScheduling, name: str) -> None:
    for workload in evaluator.workloads("train", 0)[:8:3]:
        metrics, bound = evaluator.run(workload, policy(name)), evaluator.bound(workload)
        assert metrics["gap_closed"] < 1.0 == bound["gap_closed"]
        assert metrics["bound_makespan"] == bound["makespan"] < metrics["makespan"]
        assert metrics["throughput"] == workload.parameters["count"] / metrics["makespan"] < bound["throughput"]
        gap = (metrics["random_makespan"] - metrics["makespan"]) / (
            metrics["random_makespan"] - metrics["bound_makespan"]
        )
        assert metrics["gap_closed"] == pytest.approx(gap)
        assert all(np.isfinite(value) for value in metrics.values())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(transactions=batches(12), data=st.data())
def test_no_order_scores_beyond_the_bound(transactions: list[Transaction], data: st.DataObject) -> None:
    batch = Batch.of(transactions)
    order = data.draw(st.permutations(range(len(transactions))))
    took = makespan(batch.footprints, order)
    assert batch.bound <= min(took, batch.unordered)
    assert batch.gap_closed(took) <= 1.0
    assert len(order) / took <= len(order) / batch.bound


def test_a_batch_without_conflicts_scores_nothing() -> None:
    batch = Batch.of([Transaction("", (index,), (True,)) for index in range(5)])
    assert batch.unordered == batch.bound == 1
    assert batch.gap_closed(1) == 0.0


def test_runs_are_repeatable_and_policies_get_copies(evaluator: TransactionScheduling) -> None:
    workload = evaluator.workloads("train", 0)[1]

    class Scribbler:
        seconds = 0.0

        def call(self, function: str, transactions: list[Any]) -> Any:
            order = [one.id for one in transactions]
            for one in transactions:
                one.keys.clear()
            transactions.clear()
            return order

    before = evaluator.run(workload, policy("earliest_start"))
    assert evaluator.run(workload, Scribbler()) == evaluator.run(workload, policy("arrival_order"))
    assert evaluator.run(workload, policy("earliest_start")) == before
    assert TransactionScheduling().run(workload, policy("earliest_start")) == before


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 1], "expected 3 ids, each transaction's once, got 2"),
        ([0, 1, 2, 0], "expected 3 ids, each transaction's once, got 4"),
        ([0, 1, 3], "expected ids from 0 to 2, got 3"),
        ([-1, 0, 1], "expected ids from 0 to 2, got -1"),
        ([0, 1, 1], "every transaction must be in the order exactly once; missing: 2"),
    ],
)
def test_refuses_what_is_no_permutation(order: list[int], message: str) -> None:
    with pytest.raises(WrongAnswer) as refusal:
        check_order(order, 3)
    assert str(refusal.value) == message


def test_message_names_a_few_ids_only() -> None:
    with pytest.raises(WrongAnswer, match=r"missing: 1, 2, 3, 4, 5 and 94 more$"):
        check_order([0] * 100, 100)


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_distinct_and_repeatable(evaluator: TransactionScheduling, split: Any) -> None:
    workloads = evaluator.workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    assert [workload.hash for workload in evaluator.workloads(split, 5)] == [workload.hash for workload in workloads]
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash


def test_splits_share_no_instance_and_test_has_enough_clusters(evaluator: TransactionScheduling) -> None:
    by_split = {split: evaluator.workloads(split, 3) for split in SPLITS}
    seeds = {split: {(w.regime, w.parameters["seed"]) for w in listed} for split, listed in by_split.items()}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert {w.regime for w in by_split["train"]} == {w.regime for w in by_split["validation"]} == set(FAMILIAR)
    assert {w.regime for w in by_split["test"]} == set(FAMILIAR) | set(SHIFTED)
    assert len({workload.cluster for workload in by_split["test"]}) >= 24
    assert not {w.hash for w in by_split["test"]} & {w.hash for w in evaluator.workloads("test", 4)}


def test_shifted_regimes_are_new_in_benchmark_size_or_setting() -> None:
    for shifted in SHIFTED.values():
        assert all(shifted != familiar for familiar in FAMILIAR.values())
        known = [one for one in FAMILIAR.values() if one.benchmark == shifted.benchmark]
        assert all(one.count != shifted.count or one.settings != shifted.settings for one in known)


def test_scores_the_same_behind_the_wall_as_in_process(evaluator: TransactionScheduling) -> None:
    problem = load_problem(ROOT / "problems" / "transaction_scheduling.yaml")

    async def behind_the_wall() -> list[Any]:
        executor = LocalExecutor(problem.evaluator)
        try:
            workload = (await executor.workloads("train"))[3]
            sources = [problem.seed, *(problem.baselines[name] for name in ("SMF", "Random order"))]
            return [await executor.submit(source, workload, problem.limits) for source in sources]
        finally:
            await executor.close()

    workload = evaluator.workloads("train", 0)[3]
    expected = [evaluator.run(workload, policy(name)) for name in ("earliest_start", "smf", "random_order")]
    assert [dict(result.metrics) for result in asyncio.run(behind_the_wall())] == expected
