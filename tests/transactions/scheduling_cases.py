"""Small batches that tests can read, search exhaustively or price literally."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from adrs.testing.direct import DirectPolicy
from evaluators.transactions.scheduling.makespan import Footprint, makespan
from evaluators.transactions.transaction import Transaction

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "transaction_scheduling"
POLICIES = [path.stem for path in sorted(SEEDS.glob("*.py"))]


def policy(name: str) -> DirectPolicy:
    """The seed or a baseline, ready to be called."""
    return DirectPolicy(functions(name))


def functions(name: str) -> dict[str, Any]:
    """What the file of a policy defines."""
    namespace: dict[str, Any] = {"__name__": "policy"}
    exec(compile((SEEDS / f"{name}.py").read_text(encoding="utf-8"), f"{name}.py", "exec"), namespace)
    return namespace


def transaction(text: str) -> Transaction:
    """For example "rx wy": read x, then write y; keys are letters, "." is an operation on a key of its own."""
    keys = tuple(1000 + position if word == "." else ord(word[1]) for position, word in enumerate(text.split()))
    return Transaction("", keys, tuple(word.startswith("w") for word in text.split()))


def batch(*texts: str) -> list[Transaction]:
    return [transaction(text) for text in texts]


def literal_makespan(transactions: Sequence[Transaction], order: Sequence[int]) -> int:
    """By the words of the interface: try every start, compare every operation with every operation placed before."""
    placed: list[tuple[int, bool, int]] = []  # key, writes, time
    end = 0
    for index in order:
        one = transactions[index]
        start = 0
        while any(
            key == other_key and (writes or other_writes) and start + position <= time
            for position, (key, writes) in enumerate(zip(one.keys, one.writes, strict=True))
            for other_key, other_writes, time in placed
        ):
            start += 1
        placed += [(key, writes, start + p) for p, (key, writes) in enumerate(zip(one.keys, one.writes, strict=True))]
        end = max(end, start + len(one))
    return end


def least_makespan(used: Sequence[Footprint]) -> int:
    """Over all orders."""
    return min(makespan(used, order) for order in permutations(range(len(used))))


def _transactions(keys: int, longest: int) -> st.SearchStrategy[Transaction]:
    operation = st.tuples(st.integers(0, keys - 1), st.booleans())
    operations = st.lists(operation, min_size=1, max_size=longest)
    return operations.map(lambda ops: Transaction("", tuple(key for key, _ in ops), tuple(writes for _, writes in ops)))


def batches(most: int, keys: int = 4, longest: int = 6) -> st.SearchStrategy[list[Transaction]]:
    """Few keys, so that conflicts abound; keys are used more than once."""
    return st.lists(_transactions(keys, longest), min_size=1, max_size=most)
