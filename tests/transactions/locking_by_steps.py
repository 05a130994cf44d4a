"""Strict two-phase locking once more: slow, literal, and without the simulator's data structures.

Time goes by in whole ticks. Locks and requests are one list that is searched from its beginning, and who waits for whom
is found anew each time. Within a tick, what was begun first happens first, and admission comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from evaluators.transactions.transaction import Transaction

Admission = Callable[[Sequence[int], bool], int | None]  # of the pending ones, and whether something runs


@dataclass(eq=False)
class Request:
    """Of a lock; granted, it is the lock."""

    owner: int
    key: int
    exclusive: bool
    granted: bool = False
    upgrade: bool = False


@dataclass(eq=False)
class Run:
    """A transaction under way; `due` is when its operation or commit ends, None while it waits."""

    id: int
    position: int = 0
    due: int | None = None
    begun: int = 0
    since: int = 0
    grants: list[int] = field(default_factory=list)


class Steps:
    """All times in whole ticks. The attributes after `run` are what those of `Outcome` with the same names are."""

    def __init__(self, transactions: Sequence[Transaction], operation: int, commit: int, backoff: int) -> None:
        self.transactions, self.operation, self.commit, self.backoff = transactions, operation, commit, backoff
        self.now, self.news, self.numbers = 0, False, count()
        self.coming: dict[int, tuple[int, int]] = {}  # transaction -> when, and its number among all that was begun
        self.pending: list[int] = []
        self.running: dict[int, Run] = {}
        self.requests: list[Request] = []
        self.order: list[int] = []
        self.committed: dict[int, int] = {}
        self.granted: dict[int, list[int]] = {}
        self.aborts = [0] * len(transactions)
        self.wasted = self.blocked = 0

    def run(self, arrivals: Sequence[int], executors: int, choose: Admission, window: int | None) -> None:
        self.coming = {each: (time, next(self.numbers)) for each, time in enumerate(arrivals)}
        while len(self.order) < len(self.transactions):
            while self.something_happens():
                pass
            while self.news and self.pending and len(self.running) < executors:
                choice = choose(sorted(self.pending)[:window], bool(self.running))
                if choice is None:
                    break
                self.pending.remove(choice)
                self.running[choice] = Run(choice)
                self.go_on(self.running[choice])
            self.news = False
            self.now += 1

    def something_happens(self) -> bool:
        due = [(number, each, False) for each, (time, number) in self.coming.items() if time == self.now]
        due += [(run.begun, run.id, True) for run in self.running.values() if run.due == self.now]
        if not due:
            return False
        _, first, runs = min(due)
        if not runs:
            del self.coming[first]
            self.pending.append(first)
            self.news = True
        elif self.running[first].position == len(self.transactions[first]):
            self.end_with_commit(self.running[first])
        else:
            self.running[first].position += 1
            self.go_on(self.running[first])
        return True

    def go_on(self, run: Run) -> None:
        transaction = self.transactions[run.id]
        if run.position == len(transaction):
            run.due, run.begun = self.now + self.commit, next(self.numbers)
            return
        key, write = transaction.keys[run.position], transaction.writes[run.position]
        mine = [each for each in self.requests if each.owner == run.id and each.key == key]
        if any(each.exclusive or not write for each in mine):
            self.operate(run)
            return
        request = Request(run.id, key, write, upgrade=bool(mine))
        usual = [
            place for place, each in enumerate(self.requests) if each.key == key and not (each.granted or each.upgrade)
        ]
        self.requests.insert(usual[0] if mine and usual else len(self.requests), request)
        if not self.blockers(request):
            self.grant(request)
            self.operate(run)
            return
        run.due, run.since = None, self.now
        while cycle := self.cycle(run.id, [run.id], set()):
            self.abort(self.running[max(cycle)])

    def blockers(self, request: Request) -> list[int]:
        """Owners of locks, and of requests further ahead, that conflict."""
        same = [each for each in self.requests if each.key == request.key and each.owner != request.owner]
        ahead = self.requests[: self.requests.index(request)]
        conflicting = [each for each in same if each.exclusive or request.exclusive]
        held = [each.owner for each in conflicting if each.granted]
        return held + [each.owner for each in conflicting if not each.granted and each in ahead]

    def cycle(self, one: int, path: list[int], seen: set[int]) -> list[int]:
        for request in [each for each in self.requests if each.owner == one and not each.granted]:
            for other in self.blockers(request):
                if other == path[0]:
                    return path
                if other not in seen:
                    seen.add(other)
                    if found := self.cycle(other, [*path, other], seen):
                        return found
        return []

    def grant(self, request: Request) -> None:
        """Locks stand in the order of their grants; an upgraded one keeps its place."""
        self.requests.remove(request)
        for lock in self.requests:
            if request.upgrade and (lock.owner, lock.key) == (request.owner, request.key):
                lock.exclusive = True
                return
        request.granted = True
        self.requests.append(request)

    def operate(self, run: Run) -> None:
        run.grants.append(self.now)
        run.due, run.begun = self.now + self.operation, next(self.numbers)

    def end_with_commit(self, run: Run) -> None:
        self.order.append(run.id)
        self.committed[run.id], self.granted[run.id] = self.now, run.grants
        self.leave(run)

    def abort(self, victim: Run) -> None:
        self.blocked += self.now - victim.since
        self.wasted += victim.position * self.operation
        self.aborts[victim.id] += 1
        self.coming[victim.id] = self.now + self.backoff * self.aborts[victim.id], next(self.numbers)
        self.leave(victim)

    def leave(self, run: Run) -> None:
        del self.running[run.id]
        self.news = True
        keys = sorted({each.key for each in self.requests if each.owner == run.id})
        self.requests = [each for each in self.requests if each.owner != run.id]
        freed: list[int] = []
        for key in keys:
            for request in [each for each in self.requests if each.key == key and not each.granted]:
                if not self.blockers(request):
                    self.grant(request)
                    freed.append(request.owner)
        for each in freed:
            self.blocked += self.now - self.running[each].since
            self.operate(self.running[each])
