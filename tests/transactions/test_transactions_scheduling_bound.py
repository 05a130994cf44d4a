from __future__ import annotations

from itertools import chain, combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_cases import batch, batches, least_makespan

from evaluators.transactions.generators import generate
from evaluators.transactions.scheduling.bound import Span, lower_bound, one_machine
from evaluators.transactions.scheduling.makespan import footprints, makespan
from evaluators.transactions.transaction import Transaction


@pytest.mark.parametrize(
    ("texts", "bound"),
    [
        (("wx", "wx", "wx"), 3),
        (("rx", "rx", "rx"), 1),
        (("wx", "rx", "rx", "rx"), 2),  # readers share their unit
        ((". wx . .", ". wx . .", ". wx . ."), 1 + 3 + 2),  # head, spans, tail
        (("rx . wx", "rx . wx"), 6),
        (("wx . rx", "wx . rx"), 6),
        ((". . . . .", "wx", "wx"), 5),  # the longest transaction
        (("wx . . .", ". . . wx", "wx . . ."), 5),  # a subset binds: 0 + 2 + 3
    ],
)
def test_by_hand_where_it_is_reached(texts: tuple[str, ...], bound: int) -> None:
    used = footprints(batch(*texts))
    assert lower_bound(used) == bound == least_makespan(used)


def test_a_chain_of_conflicts_is_no_bound() -> None:
    """A-B-C in a row take 9, but B may go last or first, or A and C before it: they overlap."""
    used = footprints(batch("wx . wx", "wx . wy", "wy . wy"))
    assert makespan(used, [0, 1, 2]) == 9
    assert lower_bound(used) <= least_makespan(used) == 5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(transactions=batches(6))
def test_no_order_of_few_transactions_beats_it(transactions: list[Transaction]) -> None:
    used = footprints(transactions)
    assert lower_bound(used) <= least_makespan(used)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(transactions=batches(30, keys=8, longest=12), data=st.data())
def test_no_order_of_many_transactions_beats_it(transactions: list[Transaction], data: st.DataObject) -> None:
    used = footprints(transactions)
    assert lower_bound(used) <= makespan(used, data.draw(st.permutations(range(len(used)))))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(spans=st.lists(st.builds(Span, st.integers(0, 9), st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=7))
def test_one_machine_is_the_largest_bound_over_subsets(spans: list[Span]) -> None:
    """Carlier 1982: Jackson's preemptive schedule is as long as the best of head + spans + tail over all subsets."""
    subsets = chain.from_iterable(combinations(spans, size) for size in range(1, len(spans) + 1))
    assert one_machine(spans) == max(
        min(span.head for span in some) + sum(span.length for span in some) + min(span.tail for span in some)
        for some in subsets
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(spans=st.lists(st.builds(Span, st.integers(0, 9), st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=6))
def test_one_machine_is_beaten_by_no_sequence(spans: list[Span]) -> None:
    def length(sequence: tuple[Span, ...]) -> int:
        now = end = 0
        for span in sequence:
            now = max(now, span.head) + span.length
            end = max(end, now + span.tail)
        return end

    assert one_machine(spans) <= min(map(length, permutations(spans)))


@pytest.mark.parametrize(
    ("benchmark", "settings_", "share"),
    [
        ("tpcc", {"warehouses": 1}, 0.95),
        ("social", {"objects": 100}, 0.95),
        ("ycsb", {"shortest": 4, "longest": 8, "records": 100}, 0.5),
    ],
)
def test_no_proven_optimum_is_below_it(benchmark: str, settings_: dict[str, int], share: float) -> None:
    """And it is as tight as the documentation says."""
    exact = pytest.importorskip("evaluators.transactions.scheduling.exact", reason="needs ortools (the extra `test`)")
    for seed in range(2):
        used = footprints(generate(benchmark, 12, seed, **settings_))
        solution = exact.solve(used, effort=2, hint=range(12))
        assert solution.optimal
        assert solution.makespan == makespan(used, solution.order)
        assert share * solution.makespan <= lower_bound(used) <= solution.makespan


@settings(max_examples=12, deadline=None, derandomize=True)
@given(transactions=batches(5))
def test_exact_solver_finds_the_exhaustive_optimum(transactions: list[Transaction]) -> None:
    exact = pytest.importorskip("evaluators.transactions.scheduling.exact", reason="needs ortools (the extra `test`)")
    used = footprints(transactions)
    solution = exact.solve(used, effort=2, hint=range(len(used)))
    assert solution.optimal
    assert solution.makespan == least_makespan(used)
