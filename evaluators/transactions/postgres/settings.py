"""What is compared: every baseline of the two problems on a few contended workloads, and the user's policies with them.

Both tiers run the same transactions. To order a batch, all of them are pending at the start; for admission they arrive
half as fast again as the clients could serve them without conflicts, so that there is always something to choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from adrs.errors import AdrsError
from adrs.evaluation.protocol import WrongAnswer
from adrs.sandbox.policy import PolicyFailure
from evaluators.transactions.admission.evaluator import RULES, WINDOW, asking
from evaluators.transactions.admission.workloads import Scenario, instance
from evaluators.transactions.locking import Choose, Refused
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.postgres.comparison import Admission, Setting, fixed
from evaluators.transactions.postgres.wall import Wall
from evaluators.transactions.scheduling import interface
from evaluators.transactions.scheduling.evaluator import check_order
from evaluators.transactions.scheduling.makespan import footprints, makespan
from evaluators.transactions.transaction import Transaction

Sources = Mapping[str, str]  # name -> policy

LOAD = 1.5
CLIENTS = 8
SCENARIOS = {
    "tpcc": Scenario("tpcc", CLIENTS, LOAD, "poisson", {"warehouses": 2}, 100),
    "ycsb-updates": Scenario("ycsb", CLIENTS, LOAD, "poisson", {"records": 1000, "theta": 0.6}, 100),
    "ycsb-skewed": Scenario("ycsb", CLIENTS, LOAD, "poisson", {"theta": 0.9}, 100),
    "smallbank-hot": Scenario("smallbank", CLIENTS, LOAD, "poisson", {"hot": 4}, 200),
}


@dataclass(frozen=True)
class Batch:
    """A workload to be ordered, with the makespan that the problem's model gives to each contender's order."""

    setting: Setting
    makespans: Mapping[str, int]


def batch(name: str, scenario: Scenario, wall: Wall, policies: Sources) -> Batch:
    """Ask each policy for its order of the scenario's transactions, once. Raises AdrsError when one fails."""
    transactions, _ = instance(scenario, RULES.commit)
    orders = {policy: _order(policy, wall, source, transactions) for policy, source in policies.items()}
    used = footprints(transactions)
    setting = Setting(
        name,
        transactions,
        np.zeros(len(transactions)),
        scenario.executors,
        {policy: fixed(order) for policy, order in orders.items()},
    )
    return Batch(setting, {policy: makespan(used, order) for policy, order in orders.items()})


def stream(name: str, scenario: Scenario, wall: Wall, policies: Sources) -> Setting:
    """The scenario's transactions as they arrive, admitted by each policy."""
    transactions, arrivals = instance(scenario, RULES.commit)
    contenders = {policy: _asked(policy, wall, source, transactions, arrivals) for policy, source in policies.items()}
    return Setting(name, transactions, arrivals, scenario.executors, contenders, RULES.backoff, WINDOW)


def _order(name: str, wall: Wall, source: str, transactions: list[Transaction]) -> list[int]:
    rows = [
        interface.Transaction(index, each.kind, list(each.keys), list(each.writes))
        for index, each in enumerate(transactions)
    ]
    with _naming(name), wall.policy(source) as policy:
        order: list[int] = policy.call("schedule", rows)
        check_order(order, len(transactions))
        return order


def _asked(name: str, wall: Wall, source: str, transactions: list[Transaction], arrivals: Floats) -> Admission:
    @contextmanager
    def admission() -> Iterator[Choose]:
        with _naming(name), wall.policy(source) as policy:
            yield asking(policy, transactions, arrivals)

    return admission


@contextmanager
def _naming(policy: str) -> Iterator[None]:
    """A policy's failure is the end of a comparison, in one line."""
    try:
        yield
    except PolicyFailure as failure:
        raise AdrsError(f"{policy}: {failure.status}: {failure.message}") from None
    except (Refused, WrongAnswer) as refusal:
        raise AdrsError(f"{policy}: wrong: {refusal}") from None
