from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adrs.errors import InputError
from evaluators.transactions.generators import BENCHMARKS, generate
from evaluators.transactions.transaction import Transaction


@settings(max_examples=30, deadline=None, derandomize=True)
@given(benchmark=st.sampled_from(sorted(BENCHMARKS)), count=st.integers(1, 60), seed=st.integers(0, 2**31))
def test_keys_are_dense_and_numbered_by_first_use(benchmark: str, count: int, seed: int) -> None:
    transactions = generate(benchmark, count, seed)
    assert len(transactions) == count
    assert list(dict.fromkeys(key for one in transactions for key in one.keys)) == list(range(distinct(transactions)))
    assert all(len(one.keys) == len(one.writes) == len(one) > 0 for one in transactions)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_the_seed_decides(benchmark: str) -> None:
    assert generate(benchmark, 50, 3) == generate(benchmark, 50, 3) != generate(benchmark, 50, 4)


def test_tpcc_rows_are_those_of_the_specification() -> None:
    transactions = generate("tpcc", 2000, 1, warehouses=4)
    kinds = {kind: [one for one in transactions if one.kind == kind] for kind in ("new_order", "payment")}
    assert len(kinds["new_order"]) == pytest.approx(1000, abs=100)
    lines = [(len(one) - 5) / 3 for one in kinds["new_order"]]
    assert (min(lines), max(lines)) == (5, 15)
    assert sum(lines) / len(lines) == pytest.approx(10, abs=0.3)
    assert all(one.writes[:5] == (False, True, False, True, True) for one in kinds["new_order"])
    assert {one.writes for one in kinds["payment"]} == {(True,) * 4}
    assert len({one.keys[0] for one in transactions}) == 4  # warehouses
    assert len({one.keys[1] for one in transactions}) == 40  # districts


def test_tpcc_districts_belong_to_one_warehouse_and_customers_may_be_remote() -> None:
    payments = [one for one in generate("tpcc", 4000, 2, warehouses=2) if one.kind == "payment"]
    homes: dict[int, set[int]] = {}
    for one in payments:
        homes.setdefault(one.keys[1], set()).add(one.keys[0])
    assert all(len(warehouses) == 1 for warehouses in homes.values())
    popular = Counter(one.keys[2] for one in payments)
    assert popular.most_common(1)[0][1] > 3  # NURand: uniform draws of 60,000 customers hardly ever meet


def test_tpcc_share_of_new_orders() -> None:
    assert {one.kind for one in generate("tpcc", 50, 0, new_order_share=1.0)} == {"new_order"}
    assert {one.kind for one in generate("tpcc", 50, 0, new_order_share=0.0)} == {"payment"}


def test_ycsb_records_are_distinct_and_zipfian() -> None:
    transactions = generate("ycsb", 2000, 5, records=1000, theta=0.99, read_share=0.8)
    assert all(len(set(one.keys)) == len(one) == 16 for one in transactions)
    reads = sum(not writes for one in transactions for writes in one.writes)
    assert reads / 32000 == pytest.approx(0.8, abs=0.01)


def test_ycsb_popularity_follows_zipfs_law() -> None:
    single = generate("ycsb", 20_000, 5, records=1000, theta=0.99, shortest=1, longest=1)
    uses = [count for _, count in Counter(one.keys[0] for one in single).most_common(10)]
    assert uses[0] / uses[9] == pytest.approx(10**0.99, rel=0.2)  # ranks 1 and 10


def test_ycsb_without_skew_is_uniform() -> None:
    uses = Counter(
        key for one in generate("ycsb", 1000, 5, records=100, theta=0.0, shortest=2, longest=4) for key in one.keys
    )
    assert max(uses.values()) < 3 * min(uses.values())


def test_smallbank_types_and_hot_spot() -> None:
    transactions = generate("smallbank", 4000, 1, customers=1000, hot=10, hot_share=0.9)
    kinds = Counter(one.kind for one in transactions)
    assert kinds["send_payment"] / 4000 == pytest.approx(0.25, abs=0.03)
    assert len(kinds) == 6
    accounts = Counter(one.keys[0] for one in transactions)  # the first row is always an account
    assert sum(count for _, count in accounts.most_common(10)) / 4000 == pytest.approx(0.9, abs=0.03)
    assert all(len(set(one.keys)) == len(one) for one in transactions)


def test_social_feeds_read_and_changes_write() -> None:
    transactions = generate("social", 2000, 1, write_share=0.2)
    feeds = [one for one in transactions if one.kind == "feed"]
    assert len(feeds) / 2000 == pytest.approx(0.8, abs=0.04)
    assert not any(any(one.writes) for one in feeds)
    assert all(any(one.writes) for one in transactions if one.kind != "feed")
    assert {one.kind for one in transactions} == {"feed", "like", "befriend", "post"}


@pytest.mark.parametrize(
    ("benchmark", "count", "given_", "message"),
    [
        ("tpce", 10, {}, "unknown benchmark 'tpce'; expected one of tpcc, ycsb, smallbank, social"),
        ("tpcc", 0, {}, "expected at least 1 transaction, got 0"),
        (
            "tpcc",
            10,
            {"warehouse": 1},
            "tpcc: unknown setting 'warehouse'; expected one of warehouses, new_order_share",
        ),
        ("tpcc", 10, {"warehouses": 0}, "tpcc: warehouses: expected at least 1, got 0"),
        ("ycsb", 10, {"read_share": 1.5}, "ycsb: read_share: expected a share from 0 to 1, got 1.5"),
        ("ycsb", 10, {"records": 10}, "ycsb: records: expected at least 16, got 10"),
        ("ycsb", 10, {"theta": -1.0}, "ycsb: theta: expected a number of at least 0, got -1.0"),
        ("ycsb", 10, {"theta": float("nan")}, "ycsb: theta: expected a number of at least 0, got nan"),
        ("ycsb", 10, {"shortest": 5, "longest": 4}, "ycsb: longest: expected at least 5, got 4"),
        ("smallbank", 10, {"hot": 1}, "smallbank: hot: expected at least 2, got 1"),
        ("social", 10, {"objects": 3}, "social: objects: expected at least 25, got 3"),
    ],
)
def test_wrong_settings_are_input_errors(benchmark: str, count: int, given_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        generate(benchmark, count, 0, **given_)
    assert message in str(refusal.value)


def distinct(transactions: list[Transaction]) -> int:
    return len({key for one in transactions for key in one.keys})
