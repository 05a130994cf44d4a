"""What no admission beats: lower bounds on latencies and on the makespan under strict two-phase locking.

Two relaxations say how early the k-th of a set of transactions can commit, whatever runs when:

- *Executors*: c executors do no more than one machine c times as fast that may preempt.
- *Key*: from the lock on a key to the commit a writer excludes all others, and readers number at most c at a time. So
  one machine runs these spans, those of readers c times as fast, each released no sooner than the operations before
  the lock take.

On one machine with preemption, shortest remaining processing time first has at any time completed as many jobs as any
schedule can (Schrage, "A Proof of the Optimality of the Shortest Remaining Processing Time Discipline", Operations
Research 16, 1968). So the k-th commit comes no earlier than its k-th completion; nor, with no machine to wait for, than
the k-th smallest arrival plus length.

Of latencies, a convex cost is least if commits in order meet arrivals in order. Costs add up over disjoint sets of
transactions, so each hot key takes its users (or only its writers, whichever bounds more) and the executors the rest.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from evaluators.transactions.locking import Rules
from evaluators.transactions.locking.outcome import Floats
from evaluators.transactions.transaction import Transaction


@dataclass(frozen=True)
class Bounds:
    """Of one instance: no admission has a lower latency of either kind, or a higher throughput."""

    mean_latency: float
    rms_latency: float
    throughput: float


def bounds(transactions: Sequence[Transaction], arrivals: Floats, executors: int, rules: Rules) -> Bounds:
    """Lower bounds on latencies and an upper one on throughput; arguments as of `locking.simulate`.

    `rules` must let writers of a key exclude each other until they have committed, as all of that module do.
    """
    instance = _Instance(transactions, arrivals, executors, rules)
    everyone = range(len(arrivals))
    divisions = [
        [_Part(arrivals, everyone, instance.by_executors(everyone))],
        list(instance.divided(readers=False)),
        list(instance.divided(readers=True)),
    ]
    total, squares = (max(sum(part.cost(power) for part in parts) for parts in divisions) for power in (1, 2))
    last = max(float(earliest[-1]) for earliest in instance.all_earliest())
    return Bounds(total / len(arrivals), sqrt(squares / len(arrivals)), len(arrivals) / (last - float(arrivals[0])))


def completions(released: Floats, work: Floats, speed: float = 1.0) -> Floats:
    """Times at which shortest remaining processing time first completes its jobs, in order: float64 [jobs]."""
    order = np.argsort(released, kind="stable").tolist()
    waiting: list[float] = []  # remaining work
    done: list[float] = []
    now = 0.0
    for place, job in enumerate(order):
        now = max(now, float(released[job])) if not waiting else now
        heapq.heappush(waiting, float(work[job]))
        until = float(released[order[place + 1]]) if place + 1 < len(order) else np.inf
        while waiting and now < until:
            shortest = heapq.heappop(waiting)
            end = now + shortest / speed
            if end > until:
                heapq.heappush(waiting, shortest - (until - now) * speed)
                now = until
            else:
                done.append(end)
                now = end
    return np.array(done)


@dataclass(frozen=True)
class _Use:
    """How a transaction uses a key."""

    before: float  # time of the operations before the lock
    work: float  # of the key's machine
    shared: bool


@dataclass(frozen=True)
class _Part:
    """Some of the transactions, and how early the k-th of them can commit."""

    arrivals: Floats
    members: Sequence[int]
    earliest: Floats

    def cost(self, power: int) -> float:
        """No less than this is the sum over the members of latency ** power."""
        return float(((self.earliest - np.sort(self.arrivals[self.members])) ** power).sum())


class _Instance:
    def __init__(self, transactions: Sequence[Transaction], arrivals: Floats, executors: int, rules: Rules) -> None:
        self.arrivals, self.executors = arrivals, executors
        self.length = np.array([len(transaction) * rules.operation + rules.commit for transaction in transactions])
        self.uses: dict[int, dict[int, _Use]] = defaultdict(dict)  # key -> transaction
        for index, transaction in enumerate(transactions):
            for place, (key, write) in enumerate(zip(transaction.keys, transaction.writes, strict=True)):
                before = place * rules.operation
                span = float(self.length[index]) - before
                known = self.uses[key].get(index)
                if write and (known is None or known.shared):
                    self.uses[key][index] = _Use(before, span, False)
                elif known is None and rules.read_locks:
                    self.uses[key][index] = _Use(before, span / executors, True)

    def divided(self, readers: bool) -> Iterator[_Part]:
        """All transactions, by hot keys, those that only read a key with or without its writers; then the rest."""
        rest = set(range(len(self.arrivals)))
        for key, members in self._groups(readers):
            yield _Part(self.arrivals, members, np.maximum(self._by_key(key, members), self.by_executors(members)))
            rest.difference_update(members)
        if rest:
            yield _Part(self.arrivals, sorted(rest), self.by_executors(sorted(rest)))

    def all_earliest(self) -> Iterator[Floats]:
        """Earliest commits by every relaxation."""
        yield self.by_executors(range(len(self.arrivals)))
        for key, uses in self.uses.items():
            if len(uses) > 1:
                yield self._by_key(key, sorted(uses))

    def by_executors(self, members: Sequence[int]) -> Floats:
        """How early the k-th of them can commit on the executors."""
        unhindered: Floats = np.sort(self.arrivals[members] + self.length[members])
        return np.maximum(completions(self.arrivals[members], self.length[members], self.executors), unhindered)

    def _by_key(self, key: int, members: Sequence[int]) -> Floats:
        uses = [self.uses[key][member] for member in members]
        released = self.arrivals[members] + np.array([use.before for use in uses])
        return completions(released, np.array([use.work for use in uses]))

    def _groups(self, readers: bool) -> Iterator[tuple[int, list[int]]]:
        """Disjoint sets of users of one key, the busiest key first."""
        left = {
            key: {index: use.work for index, use in uses.items() if readers or not use.shared}
            for key, uses in self.uses.items()
        }
        while left := {key: works for key, works in left.items() if len(works) > 1}:
            busiest = max(left, key=lambda key: (sum(left[key].values()), -key))
            members = sorted(left[busiest])
            yield busiest, members
            for works in left.values():
                for member in members:
                    works.pop(member, None)
