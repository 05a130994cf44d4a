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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    last = max(float(earliest[-1]) for earliest in instance.all_earliest())
    return Bounds(
        instance.cost(1) / len(arrivals),
        float(np.sqrt(instance.cost(2) / len(arrivals))),
        len(arrivals) / (last - float(arrivals[0])),
    )


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

    def cost(self, power: int) -> float:
        """No less than this is the sum over transactions of latency ** power."""
        everyone = range(len(self.arrivals))
        together = self._cost(everyone, self._by_executors(everyone), power)
        return max(together, self._cost_apart(False, power), self._cost_apart(True, power))

    def _cost_apart(self, readers: bool, power: int) -> float:
        """The same with the transactions divided among hot keys, with or without those that only read the key."""
        cost, rest = 0.0, set(range(len(self.arrivals)))
        for key, members in self._groups(readers):
            by_key = self._cost(members, self._by_key(key, members), power)
            cost += max(by_key, self._cost(members, self._by_executors(members), power))
            rest.difference_update(members)
        if rest:
            cost += self._cost(sorted(rest), self._by_executors(sorted(rest)), power)
        return cost

    def all_earliest(self) -> Iterable[Floats]:
        """Earliest commits by every relaxation."""
        yield self._by_executors(range(len(self.arrivals)))
        for key, uses in self.uses.items():
            if len(uses) > 1:
                yield self._by_key(key, sorted(uses))

    def _groups(self, readers: bool) -> Iterable[tuple[int, list[int]]]:
        """Disjoint sets of users of one key, the busiest key first."""
        left = {
            key: {index: use for index, use in uses.items() if readers or not use.shared}
            for key, uses in self.uses.items()
        }
        left = {key: uses for key, uses in left.items() if len(uses) > 1}
        while left:
            busiest = max(left, key=lambda key: (sum(use.work for use in left[key].values()), -key))
            members = left[busiest].keys()
            yield busiest, sorted(members)
            kept = {key: {i: use for i, use in uses.items() if i not in members} for key, uses in left.items()}
            left = {key: uses for key, uses in kept.items() if len(uses) > 1}

    def _by_key(self, key: int, members: Sequence[int]) -> Floats:
        uses = [self.uses[key][member] for member in members]
        released = self.arrivals[members] + np.array([use.before for use in uses])
        served = completions(released, np.array([use.work for use in uses]))
        return np.maximum(served, self._unhindered(members))

    def _by_executors(self, members: Sequence[int]) -> Floats:
        served = completions(self.arrivals[members], self.length[members], self.executors)
        return np.maximum(served, self._unhindered(members))

    def _unhindered(self, members: Sequence[int]) -> Floats:
        return np.sort(self.arrivals[members] + self.length[members])

    def _cost(self, members: Sequence[int], earliest: Floats, power: int) -> float:
        return float(((earliest - np.sort(self.arrivals[members])) ** power).sum())


@dataclass(frozen=True)
class _Use:
    """How a transaction uses a key."""

    before: float  # time of the operations before the lock
    work: float  # of the key's machine
    shared: bool
