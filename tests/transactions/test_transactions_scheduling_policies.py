"""Seeds and baselines: true to their sources, valid everywhere."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_cases import POLICIES, batch, batches, functions, literal_makespan, policy

from evaluators.transactions.generators import generate
from evaluators.transactions.scheduling.evaluator import check_order
from evaluators.transactions.scheduling.interface import Transaction as Row
from evaluators.transactions.scheduling.makespan import footprints, makespan, start_times
from evaluators.transactions.transaction import Transaction

FAST = [name for name in POLICIES if name != "simulated_annealing"]


def rows(transactions: list[Transaction]) -> list[Row]:
    return [Row(index, one.kind, list(one.keys), list(one.writes)) for index, one in enumerate(transactions)]


def answer(name: str, transactions: list[Transaction]) -> list[int]:
    order: list[int] = policy(name).call("schedule", rows(transactions))
    check_order(order, len(transactions))
    return order


@settings(max_examples=40, deadline=None, derandomize=True)
@given(transactions=batches(12), name=st.sampled_from(FAST))
def test_every_policy_answers_with_plain_permutations(transactions: list[Transaction], name: str) -> None:
    order = answer(name, transactions)
    assert json.loads(json.dumps(order)) == order
    assert answer(name, transactions) == order


def test_arrival_order_is_that() -> None:
    assert answer("arrival_order", batch("wx", "rx", "wx")) == [0, 1, 2]


@pytest.mark.parametrize("name", ["earliest_start", "conflict_list"])
def test_list_schedulers_append_what_can_start_earliest(name: str) -> None:
    transactions = generate("ycsb", 40, 3, records=100, shortest=3, longest=6)
    order = answer(name, transactions)
    used = footprints(transactions)
    for rank in range(len(order)):
        starts = {one: start_times(used, [*order[:rank], one])[one] for one in order[rank:]}
        assert starts[order[rank]] == min(starts.values())


def test_conflict_list_breaks_ties_by_length_then_by_conflicts() -> None:
    transactions = batch("rx .", "wx .", "rx .", ". . .")
    assert answer("conflict_list", transactions) == [3, 1, 0, 2]


def test_smf_follows_the_paper() -> None:
    """One at random, then of five samples at most the one that lengthens the schedule least, by literal makespans."""
    transactions = generate("ycsb", 30, 1, records=60, shortest=3, longest=8)
    rng = random.Random(0)
    left = list(range(30))
    order: list[int] = []
    while left:
        sample = rng.sample(left, min(5 if order else 1, len(left)))
        best = min(sample, key=lambda one: literal_makespan(transactions, [*order, one]))
        left.remove(best)
        order.append(best)
    assert answer("smf", transactions) == order


def test_annealing_never_answers_worse_than_it_began() -> None:
    transactions = generate("ycsb", 40, 2, records=200)
    annealing = functions("simulated_annealing")
    annealing["WORK"] = 400_000  # the file's own: its functions look it up here
    order = annealing["schedule"](rows(transactions))
    check_order(order, 40)
    used = footprints(transactions)
    assert makespan(used, order) < makespan(used, answer("earliest_start", transactions))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(transactions=batches(8), data=st.data())
def test_annealing_prices_orders_as_the_referee_does(transactions: list[Transaction], data: st.DataObject) -> None:
    annealing = functions("simulated_annealing")
    compact, keys = annealing["contended"](rows(transactions))
    order = data.draw(st.permutations(range(len(transactions))))
    assert annealing["makespan"](compact, keys, order) == makespan(footprints(transactions), order)


@pytest.mark.slow
def test_policies_rank_as_documented() -> None:
    """Mean makespan over unseen batches: annealing < list schedulers < SMF < arrival order on YCSB."""
    totals = dict.fromkeys(["simulated_annealing", "conflict_list", "smf", "arrival_order"], 0)
    for seed in range(4):
        transactions = generate("ycsb", 100, 700 + seed)
        for name in totals:
            totals[name] += makespan(footprints(transactions), answer(name, transactions))
    assert list(totals.values()) == sorted(totals.values())
    assert len(set(totals.values())) == 4
