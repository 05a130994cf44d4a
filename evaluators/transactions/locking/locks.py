"""The lock table: shared and exclusive locks with a line of waiting requests on each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class _Lock:
    holders: dict[int, bool] = field(default_factory=dict)  # transaction -> whether exclusively
    line: list[tuple[int, bool]] = field(default_factory=list)  # requests that wait, the next one first

    def admits(self, transaction: int, exclusive: bool) -> bool:
        """Whether the request is compatible with all other holders."""
        if exclusive:
            return not self.holders.keys() - {transaction}
        return not any(self.holders.values())


class LockTable:
    """Who holds and who awaits what. A transaction awaits one lock at a time."""

    def __init__(self) -> None:
        self._locks: dict[int, _Lock] = {}
        self._held: dict[int, set[int]] = {}  # transaction -> keys
        self._awaited: dict[int, int] = {}  # transaction -> key

    def acquire(self, transaction: int, key: int, exclusive: bool) -> bool:
        """Lock the key, or stand in line for it; whether the lock is held now.

        An upgrade (exclusive on top of one's own shared lock) stands before all requests that are no upgrades.
        """
        lock = self._locks.setdefault(key, _Lock())
        if lock.holders.get(transaction, False) or (not exclusive and transaction in lock.holders):
            return True
        upgrade = transaction in lock.holders
        if (upgrade or not lock.line) and lock.admits(transaction, exclusive):
            self._grant(lock, transaction, key, exclusive)
            return True
        place = sum(waiting in lock.holders for waiting, _ in lock.line) if upgrade else len(lock.line)
        lock.line.insert(place, (transaction, exclusive))
        self._awaited[transaction] = key
        return False

    def release(self, transaction: int) -> list[int]:
        """Give up every lock and request of a transaction; the transactions whose requests are granted thereby."""
        keys = self._held.pop(transaction, set())
        for key in keys:
            del self._locks[key].holders[transaction]
        awaited = self._awaited.pop(transaction, None)
        if awaited is not None:
            lock = self._locks[awaited]
            lock.line = [request for request in lock.line if request[0] != transaction]
            keys = keys | {awaited}
        return [granted for key in sorted(keys) for granted in self._advance(key)]

    def blockers(self, transaction: int) -> Iterator[int]:
        """Those for whom a waiting transaction waits: conflicting holders, and conflicting requests before its own."""
        key = self._awaited.get(transaction)
        if key is None:
            return
        lock = self._locks[key]
        exclusive = next(mode for waiting, mode in lock.line if waiting == transaction)
        for holder, mode in lock.holders.items():
            if holder != transaction and (exclusive or mode):
                yield holder
        for waiting, mode in lock.line:
            if waiting == transaction:
                return
            if exclusive or mode:
                yield waiting

    def deadlock(self, transaction: int) -> list[int]:
        """A cycle of waiting transactions through the given one (empty: there is none), found depth first."""
        path, seen = [transaction], {transaction}
        ahead = [self.blockers(transaction)]
        while ahead:
            for blocker in ahead[-1]:
                if blocker == transaction:
                    return path
                if blocker not in seen:
                    seen.add(blocker)
                    path.append(blocker)
                    ahead.append(self.blockers(blocker))
                    break
            else:
                ahead.pop()
                path.pop()
        return []

    def _advance(self, key: int) -> Iterator[int]:
        """Grant requests from the head of the line as far as they go."""
        lock = self._locks[key]
        while lock.line and lock.admits(*lock.line[0]):
            transaction, exclusive = lock.line.pop(0)
            del self._awaited[transaction]
            self._grant(lock, transaction, key, exclusive)
            yield transaction
        if not lock.holders and not lock.line:
            del self._locks[key]

    def _grant(self, lock: _Lock, transaction: int, key: int, exclusive: bool) -> None:
        lock.holders[transaction] = exclusive
        self._held.setdefault(transaction, set()).add(key)
