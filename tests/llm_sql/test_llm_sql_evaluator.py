from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_sql_cases import policy

from adrs.errors import InputError
from adrs.evaluation.protocol import SPLITS, Policy, Workload, WrongAnswer
from adrs.testing.direct import DirectPolicy
from evaluators.llm_sql import QueryReordering
from evaluators.llm_sql.prices import LLAMA_8B_H100
from evaluators.llm_sql.workloads import FAMILIAR, SHIFTED

FIRST = QueryReordering().workloads("train", 0)[0]
METRICS = {
    "saved_share", "token_hit_rate", "trie_hit_rate", "prefix_hit_share", "saved_seconds", "prefill_seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluator() -> QueryReordering:
    return QueryReordering()


def test_interface_tells_all_that_the_cache_depends_on(evaluator: QueryReordering) -> None:
    (function,) = evaluator.interface.functions
    assert function.name == "reorder"
    assert function.parameters == (
        "columns", "rows", "dependencies", "tokens", "instruction_tokens", "block_tokens", "cache_blocks",
    )  # fmt: skip
    assert function.required == len(function.parameters)


def test_policies_lie_between_nothing_saved_and_the_bound(evaluator: QueryReordering) -> None:
    metrics, bound = evaluator.run(FIRST, policy("grouping")), evaluator.bound(FIRST)
    stored = evaluator.run(FIRST, policy("as_stored"))
    assert 0.0 <= stored["saved_share"] < metrics["saved_share"] < bound["saved_share"] < 1.0
    assert 0.0 < metrics["token_hit_rate"] < bound["token_hit_rate"] < 1.0
    assert metrics["saved_seconds"] == pytest.approx(metrics["saved_share"] * metrics["prefill_seconds"])
    assert stored["prefill_seconds"] == metrics["prefill_seconds"]


def test_prefill_seconds_are_those_of_the_published_fit(evaluator: QueryReordering) -> None:
    """4.9 + 16.6 k + 0.70 k^2 milliseconds for k thousand tokens, the fixed part shared by a pass of 8,192 tokens."""
    asked: list[Any] = []

    def ask(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(arguments)
        return np.arange(len(arguments[1])), np.tile(np.arange(len(arguments[0])), (len(arguments[1]), 1))

    metrics = evaluator.run(FIRST, DirectPolicy({"reorder": ask}))
    instruction, k = asked[4], asked[3].sum(axis=1) / 1000
    fit = 16.6 * k + 4.9 * k / 8.192 + 0.70 * ((instruction / 1000 + k) ** 2 - (instruction / 1000) ** 2)
    assert metrics["prefill_seconds"] == pytest.approx(fit.sum() / 1000)


def test_a_prompt_of_a_thousand_tokens_costs_what_was_measured() -> None:
    """One pass filled by eight prompts: its fixed cost counts once."""
    prompts = np.full(8, 1024)
    seconds = LLAMA_8B_H100.seconds(np.zeros_like(prompts), prompts)
    assert seconds == pytest.approx((4.9 + 16.6 * 8.192 + 8 * 0.70 * 1.024**2) / 1000)


def test_arguments_describe_the_table_and_the_cache(evaluator: QueryReordering) -> None:
    class Reader:
        seconds = 0.0

        def call(self, function: str, *arguments: Any) -> Any:
            columns, rows, dependencies, tokens, instruction, block, blocks = arguments
            assert len(rows) == FIRST.parameters["rows"] and {len(row) for row in rows} == {len(columns)}
            assert tokens.shape == (len(rows), len(columns)) and tokens.dtype == np.int64
            assert blocks * block >= instruction + tokens.sum(axis=1).max()
            for column, determined in enumerate(dependencies):
                for other in determined:
                    assert len({(row[column], row[other]) for row in rows}) == len({row[column] for row in rows})
            assert any(dependencies) and all(column not in found for column, found in enumerate(dependencies))
            return np.arange(len(rows)), np.tile(np.arange(len(columns)), (len(rows), 1))

    reader: Policy = Reader()
    evaluator.run(FIRST, reader)


def test_metrics_are_finite_deterministic_and_without_clocks(evaluator: QueryReordering) -> None:
    first = evaluator.run(FIRST, policy("grouping"))
    assert first == QueryReordering().run(FIRST, policy("grouping"))
    assert set(first) == METRICS
    assert all(np.isfinite(value) for value in first.values())


def test_rows_of_an_infinite_trie_may_come_in_any_order(evaluator: QueryReordering) -> None:
    """What tells the block cache from the trie of the ADRS benchmark: recency."""

    def shuffle(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        rows, fields = policy("grouping").call("reorder", *arguments)
        shuffled = np.random.default_rng(0).permutation(len(rows))
        return rows[shuffled], fields[shuffled]

    grouped, shuffled = (evaluator.run(FIRST, one) for one in (policy("grouping"), DirectPolicy({"reorder": shuffle})))
    assert shuffled["trie_hit_rate"] == grouped["trie_hit_rate"]
    assert shuffled["saved_share"] < 0.7 * grouped["saved_share"]


def test_a_wrong_answer_says_what_is_missing(evaluator: QueryReordering) -> None:
    def repeat(columns: list[str], rows: list[list[str]], *_: Any) -> tuple[np.ndarray, np.ndarray]:
        fields = np.tile(np.arange(len(columns)), (len(rows), 1))
        fields[7, 3] = 2
        return np.arange(len(rows)), fields

    with pytest.raises(WrongAnswer, match=r"field_order\[7\] must hold each index from 0 to 16 once; 3 is missing"):
        evaluator.run(FIRST, DirectPolicy({"reorder": repeat}))


def test_planning_seconds_are_taken_off_what_is_saved(evaluator: QueryReordering) -> None:
    metrics, bound = evaluator.run(FIRST, policy("grouping")), evaluator.bound(FIRST)
    free = evaluator.timed(FIRST, metrics, 0.0)
    assert free["net_saved_share"] == pytest.approx(metrics["saved_share"])
    assert free["net_saved_share"] <= bound["net_saved_share"] == bound["saved_share"]
    late = evaluator.timed(FIRST, metrics, metrics["saved_seconds"] + 0.5 * metrics["prefill_seconds"])
    assert late["net_saved_share"] == pytest.approx(-0.5)
    assert set(late) - set(metrics) == {"net_saved_share", "planning_seconds"}


def test_reference_runs_on_its_own_table_whatever_the_options(evaluator: QueryReordering, tmp_path: Path) -> None:
    reference = evaluator.reference
    assert reference.seconds > 0
    yardstick = DirectPolicy.from_source(reference.source)
    (tmp_path / "own.csv").write_text("a,b\n1,2\n1,3\n")
    other = QueryReordering(table={"file": str(tmp_path / "own.csv")})
    assert other.reference == reference
    assert other.run(reference.workload, yardstick) == evaluator.run(reference.workload, yardstick)


@pytest.mark.parametrize("split", SPLITS)
def test_workloads_are_json_and_distinct(evaluator: QueryReordering, split: Any) -> None:
    workloads = evaluator.workloads(split, 5)
    assert len({workload.hash for workload in workloads}) == len(workloads)
    for workload in workloads:
        parameters = json.loads(json.dumps(workload.parameters))
        assert Workload("", workload.regime, "", parameters).hash == workload.hash
        assert workload.cluster == f"{workload.regime}-{parameters['seed']}"


def test_splits_share_no_instance_and_test_has_enough_clusters(evaluator: QueryReordering) -> None:
    by_split = {split: evaluator.workloads(split, 3) for split in SPLITS}
    seeds = {split: {w.parameters["seed"] for w in listed} for split, listed in by_split.items()}
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["test"] & (seeds["train"] | seeds["validation"])
    assert len(by_split["validation"]) >= 3 * len(by_split["train"])
    assert len({workload.cluster for workload in by_split["test"]}) >= 24


def test_shifted_regimes_are_new_in_table_size_or_cache(evaluator: QueryReordering) -> None:
    train = {workload.regime for workload in evaluator.workloads("train", 0)}
    assert train == set(FAMILIAR)
    assert {workload.regime for workload in evaluator.workloads("test", 0)} - train == set(SHIFTED)
    seen = {(one.schema, one.rows, one.cache_share) for one in FAMILIAR.values()}
    schemas, _, shares = map(set, zip(*seen, strict=True))
    for one in SHIFTED.values():
        assert one.schema not in schemas or one.cache_share not in shares or one.rows > 1000


def test_same_salt_same_test_workloads_another_salt_others(evaluator: QueryReordering) -> None:
    hashes = [[workload.hash for workload in evaluator.workloads("test", salt)] for salt in (1, 1, 2)]
    assert hashes[0] == hashes[1]
    assert not set(hashes[0]) & set(hashes[2])


def test_packages_and_a_file_exclude_each_other() -> None:
    with pytest.raises(InputError, match="either 'packaged' or 'table'"):
        QueryReordering(packaged=True, table={"file": "x.csv"})
