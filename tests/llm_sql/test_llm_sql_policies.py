"""Seed and baselines: true to their sources, valid on every table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_sql_cases import policy

from adrs.evaluation.protocol import Metrics
from adrs.testing.direct import DirectPolicy
from evaluators.llm_sql import QueryReordering
from evaluators.llm_sql.prompts import Order, check_order
from evaluators.llm_sql.table import Table

SEEDS = Path(__file__).parents[2] / "seeds" / "llm_sql"
ALL = ["as_stored", "cardinality", "solo", "ggr", "ggr_full", "grouping"]
RANKED = ["as_stored", "cardinality", "solo", "ggr_full"]
LIMITS = ("ROW_DEPTH", "COLUMN_DEPTH", "LEAST_HITS")

FEW = settings(deadline=None, max_examples=25, derandomize=True)

Cells = Sequence[Sequence[str]]


def source(name: str) -> str:
    return (SEEDS / f"{name}.py").read_text(encoding="utf-8")


def order_of(text: str, rows: Cells, dependencies: list[list[int]] | None = None) -> Order:
    """The checked answer of a policy for a table; its dependencies are those of the table unless given."""
    columns = tuple(f"c{column}" for column in range(len(rows[0])))
    table = Table(columns, tuple(map(tuple, rows)))
    known = table.dependencies if dependencies is None else dependencies
    tokens = np.array([[4 + len(cell) // 4 for cell in row] for row in rows], dtype=np.int64)
    answer = DirectPolicy.from_source(text).call(
        "reorder", list(columns), [list(row) for row in rows], known, tokens, 80, 16, 1000
    )
    return check_order(answer, len(rows), len(columns))


def hit_count(rows: Cells, order: Order) -> int:
    """Prefix hit count (Liu et al., equations 1 and 2), by plain loops."""
    count = 0
    sent = [
        [(column, rows[row][column]) for column in fields]
        for row, fields in zip(order.rows, order.fields.tolist(), strict=True)
    ]
    for before, here in itertools.pairwise(sent):
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, here, strict=True))
        count += sum(len(cell[1]) ** 2 for _, cell in same)
    return count


def optimum(rows: Cells) -> int:
    """The highest prefix hit count of any order, by dynamic programming over the rows sent and the last prompt."""
    count, width = len(rows), len(rows[0])
    orders = list(itertools.permutations(range(width)))
    prompts = [(row, fields) for row in range(count) for fields in orders]
    pair = np.full((len(prompts), len(prompts)), -np.inf)
    for (i, a), (j, b) in itertools.permutations(enumerate(prompts), 2):
        pair[i, j] = hit_count(rows, Order(np.array([a[0], b[0]]), np.array([a[1], b[1]])))
    sent = np.array([1 << row for row, _ in prompts])
    best = np.full((1 << count, len(prompts)), -np.inf)  # by the rows sent and the last prompt
    best[sent, np.arange(len(prompts))] = 0
    for rows_sent in range(1, 1 << count):
        longer = (best[rows_sent][:, None] + pair).max(axis=0)
        (new,) = np.nonzero(rows_sent & sent == 0)
        np.maximum.at(best, (rows_sent | sent[new], new), longer[new])
    return int(best[-1].max())


@st.composite
def tables(draw: st.DrawFn, rows: int = 12, columns: int = 4) -> list[list[str]]:
    width = draw(st.integers(1, columns))
    cell = st.sampled_from(["", "a", "b", "cc", "dddd", "é\n"])
    return draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=rows))


@settings(FEW, max_examples=60)
@given(rows=tables(), name=st.sampled_from(ALL))
def test_every_policy_orders_every_table(rows: list[list[str]], name: str) -> None:
    order_of(source(name), rows)


@FEW
@given(rows=tables(), name=st.sampled_from(ALL))
def test_declared_dependencies_change_no_validity(rows: list[list[str]], name: str) -> None:
    """Nor does it matter whether they hold: the referee's are exact, a user's policy may be told others."""
    width = len(rows[0])
    order_of(source(name), rows, [[] for _ in range(width)])
    order_of(source(name), rows, [[other for other in range(width) if other != column] for column in range(width)])


def test_the_two_ggr_differ_in_their_limits_alone() -> None:
    def code(name: str) -> list[str]:
        lines = source(name).split('"""', 2)[2].splitlines()
        return [line for line in lines if not line.startswith(LIMITS)]

    assert code("ggr") == code("ggr_full")
    assert "ROW_DEPTH = 4 " in source("ggr")
    assert "COLUMN_DEPTH = 2 " in source("ggr")
    assert "LEAST_HITS = 100_000 " in source("ggr")


def test_a_unique_first_column_goes_last() -> None:
    """Liu et al., figure 1(a): n rows, one column of distinct values, the others constant: (n - 1)(m - 1) hits."""
    rows = [[chr(97 + row), "x", "y", "z"] for row in range(6)]
    assert hit_count(rows, order_of(source("as_stored"), rows)) == 0
    for name in ("cardinality", "solo", "ggr", "ggr_full", "grouping"):
        assert hit_count(rows, order_of(source(name), rows)) == 5 * 3, name


def test_rows_need_field_orders_of_their_own() -> None:
    """Figure 1(b): three groups of x rows, each equal in a column of its own: 3(x - 1) hits; one order has x - 1."""
    names = iter(map(chr, range(1000, 2000)))
    rows = [["XYZ"[column] if group == column else next(names) for column in range(3)] for group in range(3)] * 4
    rows = [[cell if cell in "XYZ" else next(names) for cell in row] for row in rows]
    no_dependencies: list[list[int]] = [[], [], []]
    assert hit_count(rows, order_of(source("ggr_full"), rows, no_dependencies)) == 3 * 3
    for name in ("cardinality", "solo"):
        assert hit_count(rows, order_of(source(name), rows, no_dependencies)) == 3


# Rows of an example of github.com/whitechno/llm-sql-phc (category and code determine each other).
CATALOGUE = [
    ["Electronics", "Apple", "iPhone", "EL"],
    ["Clothing", "Nike", "Shoes", "CL"],
    ["Electronics", "Samsung", "TV", "EL"],
    ["Clothing", "Adidas", "Shoes", "CL"],
    ["Electronics", "Apple", "MacBook", "EL"],
    ["Clothing", "Nike", "T-Shirt", "CL"],
]


def test_ggr_by_hand() -> None:
    """Electronics (11^2 + 2^2) and Clothing (8^2 + 2^2) twice each, then Apple and Shoes once (5^2)."""
    order = order_of(source("ggr_full"), CATALOGUE, [[3], [], [], [0]])
    assert order.fields[:, :3].tolist() == [[0, 3, 1], [0, 3, 1], [0, 3, 1], [0, 3, 2], [0, 3, 2], [0, 3, 1]]
    assert [CATALOGUE[row][0][0] for row in order.rows] == ["E", "E", "E", "C", "C", "C"]
    assert hit_count(CATALOGUE, order) == 2 * 125 + 2 * 68 + 25 + 25 == optimum(CATALOGUE)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (["a1 b1", "a1 b2", "a2 b1", "a3 b2"], 1),
        (["a1 b1", "a1 b2", "a2 b3", "a2 b4", "a3 b1", "a4 b2", "a5 b3", "a6 b4"], 2),
        (["a1 b1"] * 3 + ["a1 b2"] * 2 + ["a2 b1", "a3 b1", "a4 b2", "a5 b2", "a6 b2"], 10),
    ],
)
def test_ggr_takes_the_first_of_equal_groups(rows: list[str], count: int) -> None:
    """Where hit counts tie GGR may miss the optimum (Liu et al., section 4.2.3).

    These are examples 1 to 3 of the same repository's notes, with their counts (lengths are 2 here, not 1).
    """
    cells = [row.split() for row in rows]
    assert hit_count(cells, order_of(source("ggr_full"), cells, [[], []])) == 4 * count


def test_the_optimum_of_ties() -> None:
    """In the first example, twice what GGR finds."""
    assert optimum([["a1", "b1"], ["a1", "b2"], ["a2", "b1"], ["a3", "b2"]]) == 4 * 2


@FEW
@given(values=st.lists(st.sampled_from(["", "a", "bb", "ccc"]), min_size=1, max_size=5))
def test_ggr_is_optimal_in_one_column(values: list[str]) -> None:
    """Liu et al., section 4.2.3."""
    rows = [[value] for value in values]
    assert hit_count(rows, order_of(source("ggr_full"), rows)) == optimum(rows)


@FEW
@given(keys=st.lists(st.integers(0, 2), min_size=1, max_size=5), cells=st.lists(st.sampled_from("xyz"), min_size=3))
def test_ggr_is_optimal_where_a_column_determines_all_others(keys: list[int], cells: list[str]) -> None:
    """Liu et al., section 4.2.3; among the others only values of no length repeat across keys."""
    entity = {key: [f"key{key}", f"{cells[key % len(cells)]}{key}", f"{key}" * 3] for key in range(3)}
    rows = [entity[key] for key in keys]
    assert hit_count(rows, order_of(source("ggr_full"), rows)) == optimum(rows)


@settings(FEW, max_examples=12)
@given(rows=tables(rows=4, columns=3))
def test_no_policy_beats_the_exhaustive_optimum(rows: list[list[str]]) -> None:
    best = optimum(rows)
    for name in ALL:
        assert hit_count(rows, order_of(source(name), rows)) <= best


def recursions(text: str, rows: Cells, dependencies: list[list[int]]) -> int:
    """How many sub-tables GGR recurses into."""
    counting = text.replace("    if not cols:\n", "    CALLS.append(len(cols))\n    if not cols:\n")
    namespace: dict[str, object] = {"CALLS": (calls := [])}
    exec(compile(counting, "ggr.py", "exec"), namespace)
    width = len(rows[0])
    namespace["reorder"](  # type: ignore[operator]
        ["c"] * width, [list(row) for row in rows], dependencies, np.ones((len(rows), width)), 80, 16, 1000
    )
    assert calls
    return len(calls)


def test_dependencies_spare_recursions_and_lose_no_hits() -> None:
    rng = np.random.default_rng(0)
    rows = [[f"id{key}", f"name of {key}", f"{key}{key}", str(rng.integers(5))] for key in rng.integers(0, 12, 60)]
    none: list[list[int]] = [[], [], [], []]
    known = [[1, 2], [0, 2], [0, 1], []]
    text = source("ggr_full")
    assert 2 * recursions(text, rows, known) <= recursions(text, rows, none)
    assert hit_count(rows, order_of(text, rows, known)) >= hit_count(rows, order_of(text, rows, none))


def test_the_limits_stop_ggr() -> None:
    """With one group allowed it takes the best (`bb`, 4 x 2) and leaves the rest, rows sorted, to the statistics."""
    rows = [["bb", "x"], ["aa", "x"], ["bb", "y"], ["aa", "y"], ["bb", "x"]]
    one = source("ggr_full").replace("ROW_DEPTH = np.inf", "ROW_DEPTH = 1")
    assert one != source("ggr_full")
    order = order_of(one, rows, [[], []])
    assert [rows[row] for row in order.rows] == [["bb", "x"], ["bb", "x"], ["bb", "y"], ["aa", "x"], ["aa", "y"]]
    stopped = source("ggr_full").replace("LEAST_HITS = 0 ", "LEAST_HITS = 9 ")
    order = order_of(stopped, rows, [[], []])  # nothing taken: column 0 of 4 x (5/2 - 1) before 1 x (5/2 - 1)
    assert [rows[row][0] for row in order.rows] == ["aa", "aa", "bb", "bb", "bb"]


def test_solo_prefers_the_column_that_adds_fewest_prefixes() -> None:
    """All columns have two values; the first and the third always agree, so the third comes second."""
    rows = [["p", "u", "k"], ["q", "u", "l"], ["p", "v", "k"], ["q", "v", "l"]]
    assert order_of(source("solo"), rows).fields[0].tolist() == [0, 2, 1]
    assert order_of(source("cardinality"), rows).fields[0].tolist() == [0, 1, 2]


def test_cardinality_sorts_rows_under_ascending_distinct_counts() -> None:
    rows = [["3", "b"], ["1", "b"], ["2", "a"]]
    order = order_of(source("cardinality"), rows)
    assert order.fields.tolist() == [[1, 0]] * 3
    assert order.rows.tolist() == [2, 1, 0]


@pytest.fixture(scope="module")
def on_train() -> dict[str, list[Metrics]]:
    """Of each policy, and as `bound`, the metrics on each train table."""
    evaluator = QueryReordering()
    workloads = evaluator.workloads("train", 0)
    found = {name: [evaluator.run(one, policy(name)) for one in workloads] for name in RANKED}
    return found | {"bound": [evaluator.bound(one) for one in workloads]}


def test_baselines_rank_as_published_on_train(on_train: dict[str, list[Metrics]]) -> None:
    """Sorting pays, shaping the whole prefix more than single counts, and a field order a row most."""
    scores = [np.mean([one["saved_share"] for one in on_train[name]]) for name in RANKED]
    assert scores == sorted(scores)


@pytest.mark.parametrize("name", RANKED)
def test_no_policy_beats_the_bound_on_train(on_train: dict[str, list[Metrics]], name: str) -> None:
    for metrics, bound in zip(on_train[name], on_train["bound"], strict=True):
        assert all(metrics[key] <= bound[key] for key in bound if key in metrics)
