"""A makespan that no order beats.

On one key, let a transaction's first and last operations be at the positions `first` and `last`, its first and last
writes at `first_write` and `last_write`. If i comes before j in the order and one of them writes the key, then

    i writes, j reads:     start_j + first_read_j  > start_i + last_write_i
    j writes:              start_j + first_write_j > start_i + last_i

whence three families of spans of time of which no two overlap, whatever the order:

1. of the writers, from the first operation to the last write (if j's first operation is a read the first rule says
   so, if it is a write the second does);
2. of the writers, from the first write to the last operation (the second rule);
3. of the writers, from the first to the last write, and of *one* transaction that only reads, all its operations
   (several such readers may overlap each other).

Each family is a single machine: a span cannot begin sooner than its position in the transaction (its head) and is
followed by the rest of the transaction (its tail). For every subset of it, shortest head + sum of the spans + shortest
tail is a lower bound; Jackson's preemptive schedule gives the largest of these in O(n log n) (Jackson 1955; Carlier,
"The one-machine sequencing problem", EJOR 11, 1982). The bound is the largest over families and keys, and at least the
longest transaction. A chain of conflicts is no bound: in A-B-C, B may go first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from evaluators.transactions.scheduling.makespan import Footprint, Use


class Span(NamedTuple):
    """A stretch of time within a transaction that a key is taken: what comes before, the stretch, what comes after."""

    head: int
    length: int
    tail: int


def lower_bound(batch: Sequence[Footprint]) -> int:
    """At most the makespan of any order of the batch."""
    longest = max(one.length for one in batch)
    return max((longest, *(one_machine(spans) for spans in _families(batch))))


def one_machine(spans: Sequence[Span]) -> int:
    """Length of Jackson's preemptive schedule: of the spans that have begun, the one with the longest tail runs."""
    coming = list(spans)
    heapify(coming)
    waiting: list[tuple[int, int]] = []  # (-tail, units left)
    now = latest = 0
    while coming or waiting:
        if not waiting:
            now = max(now, coming[0].head)
        while coming and coming[0].head <= now:
            span = heappop(coming)
            heappush(waiting, (-span.tail, span.length))
        negative_tail, left = heappop(waiting)
        until = min(now + left, coming[0].head) if coming else now + left
        if until < now + left:
            heappush(waiting, (negative_tail, now + left - until))
        else:
            latest = max(latest, until - negative_tail)
        now = until
    return latest


def _families(batch: Sequence[Footprint]) -> Iterator[list[Span]]:
    by_key: dict[int, list[tuple[int, Use]]] = defaultdict(list)
    for one in batch:
        for use in one.uses:
            by_key[use.key].append((one.length, use))
    for used in by_key.values():
        writers = [(length, use, use.first_write, use.last_write) for length, use in used]
        yield [_span(length, use.first, end) for length, use, _, end in writers if end is not None]
        yield [_span(length, begin, use.last) for length, use, begin, _ in writers if begin is not None]
        writing = [_span(length, a, b) for length, _, a, b in writers if a is not None and b is not None]
        reading = {_span(length, use.first, use.last) for length, use, a, _ in writers if a is None}
        yield from ([*writing, reader] for reader in reading)


def _span(length: int, begin: int, end: int) -> Span:
    """From position `begin` to position `end` of a transaction of that length."""
    return Span(begin, end - begin + 1, length - 1 - end)
