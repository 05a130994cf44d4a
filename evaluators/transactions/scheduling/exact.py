"""The least makespan of a small batch, and what is proven about it, by CP-SAT (the package `ortools`).

Exact up to about 40 transactions; for checks and benchmarks, the evaluator does not use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from evaluators.transactions.scheduling.makespan import Footprint, makespan


@dataclass(frozen=True)
class Solution:
    """The best order found, its makespan, and a proven lower bound."""

    order: list[int]
    makespan: int
    bound: int

    @property
    def optimal(self) -> bool:
        """Whether the order is proven to be best."""
        return self.makespan == self.bound


def solve(batch: Sequence[Footprint], effort: float, hint: Sequence[int]) -> Solution:
    """Search from the order `hint`, repeatably: `effort` is in CP-SAT's deterministic time, some 20 seconds a unit."""
    model = cp_model.CpModel()
    known = makespan(batch, hint)
    starts = [model.new_int_var(0, known - one.length, "") for one in batch]
    ranks = [model.new_int_var(0, len(batch) - 1, "") for _ in batch]
    end = model.new_int_var(0, known, "")
    for start, one in zip(starts, batch, strict=True):
        model.add(end >= start + one.length)
    for rank, index in enumerate(hint):
        model.add_hint(ranks[index], rank)
    for j in range(len(batch)):
        for i in range(j):
            one_first, other_first = delay(batch[i], batch[j]), delay(batch[j], batch[i])
            if one_first is None or other_first is None:
                continue
            before = model.new_bool_var("")
            model.add(starts[j] >= starts[i] + one_first).only_enforce_if(before)
            model.add(ranks[j] >= ranks[i] + 1).only_enforce_if(before)
            model.add(starts[i] >= starts[j] + other_first).only_enforce_if(~before)
            model.add(ranks[i] >= ranks[j] + 1).only_enforce_if(~before)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = effort
    solver.parameters.num_workers = 1
    found = solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    order = sorted(range(len(batch)), key=lambda one: solver.value(ranks[one])) if found else list(hint)
    return Solution(order, makespan(batch, order), round(solver.best_objective_bound))


def delay(one: Footprint, other: Footprint) -> int | None:
    """How much later (or, below 0, sooner) `other` may start if it comes after; None if they do not conflict."""
    uses = {use.key: use for use in one.uses}
    least = []
    for after in other.uses:
        before = uses.get(after.key)
        if before is None:
            continue
        if before.last_write is not None and after.first_read is not None:
            least.append(before.last_write + 1 - after.first_read)
        if after.first_write is not None:
            least.append(before.last + 1 - after.first_write)
    return max(least, default=None)
