from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_cases import batch, batches, literal_makespan

from evaluators.transactions.scheduling.makespan import footprints, makespan, start_times
from evaluators.transactions.transaction import Transaction


@pytest.mark.parametrize(
    ("texts", "starts"),
    [
        (("wx", "wx", "wx"), [0, 1, 2]),  # one write a unit of time
        (("rx", "rx", "wx", "rx"), [0, 0, 1, 2]),  # readers share
        ((". . wx", "wx . ."), [0, 3]),  # nothing is filled in before what was appended ...
        ((". . rx", "rx . ."), [0, 0]),  # ... unless it is in nobody's way
        (("wx . .", ". . wx"), [0, 0]),
        (("rx wx", "rx wx"), [0, 2]),
        (("wx . wx", "rx . ."), [0, 3]),  # after the last of the writes
        ((". . rx", "rx wx"), [0, 2]),  # its write must come after the read, its read need not
        (("wx ry", "wy rx"), [0, 2]),
        (("wx . ry", "wz . wx", "wy . wz"), [0, 0, 3]),
    ],
)
def test_starts_by_hand(texts: tuple[str, ...], starts: list[int]) -> None:
    assert start_times(footprints(batch(*texts)), range(len(texts))) == starts


def test_operations_of_one_transaction_do_not_hold_up_each_other() -> None:
    assert makespan(footprints(batch("wx rx wx rx")), [0]) == 4


def test_order_matters() -> None:
    used = footprints(batch("wx . .", ". . wx wy", "wy . ."))
    assert [makespan(used, order) for order in ([0, 2, 1], [1, 0, 2])] == [4, 7]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(transactions=batches(7), seed=st.integers(0, 1000))
def test_equals_the_words_of_the_interface(transactions: list[Transaction], seed: int) -> None:
    order = list(range(len(transactions)))
    random.Random(seed).shuffle(order)
    assert makespan(footprints(transactions), order) == literal_makespan(transactions, order)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(transactions=batches(8), data=st.data())
def test_starts_are_feasible_and_earliest(transactions: list[Transaction], data: st.DataObject) -> None:
    """One that starts a unit sooner would meet an operation that it must come after."""
    order = data.draw(st.permutations(range(len(transactions))))
    starts = start_times(footprints(transactions), order)
    for rank, index in enumerate(order):
        before = [
            (key, writes, starts[other] + position)
            for other in order[:rank]
            for position, (key, writes) in enumerate(operations(transactions[other]))
        ]
        assert not blocked(transactions[index], starts[index], before)
        assert starts[index] == 0 or blocked(transactions[index], starts[index] - 1, before)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(transactions=batches(8), data=st.data())
def test_leaving_one_out_delays_nobody(transactions: list[Transaction], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(transactions))))
    used = footprints(transactions)
    whole, part = start_times(used, order), start_times(used, order[:3] + order[4:])
    assert all(part[index] <= whole[index] for index in order[:3] + order[4:])


def test_only_contended_keys_are_kept() -> None:
    used = footprints(batch("rx ry . wz", "rx wy . .", "rx . . ."))
    assert [[chr(use.key) for use in one.uses] for one in used] == [["y"], ["y"], []]
    assert [one.length for one in used] == [4, 4, 4]


def operations(one: Transaction) -> list[tuple[int, bool]]:
    return list(zip(one.keys, one.writes, strict=True))


def blocked(one: Transaction, start: int, before: list[tuple[int, bool, int]]) -> bool:
    return any(
        key == other and (writes or wrote) and start + position <= time
        for position, (key, writes) in enumerate(operations(one))
        for other, wrote, time in before
    )
