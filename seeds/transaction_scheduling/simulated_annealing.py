"""Simulated annealing over orders: the generic competitor.

Kirkpatrick et al. 1983, "Optimization by Simulated Annealing", with the two usual neighbourhoods of permutations: two
transactions change places, or one is moved elsewhere. It starts from the order in which transactions can start
earliest, cools linearly, and returns the best order it has met. The number of moves is fixed by the size of the batch
(about 0.7 CPU seconds on an AMD EPYC, 2 are allowed), not by a clock, so that its answer can be repeated.
"""

import math
import random

WORK = 3_000_000  # moves times steps of an evaluation
MOST_MOVES = 20_000  # in batches so small that all else of a move takes longer than its evaluation
SWAP = 0.3  # share of the moves that swap; the others insert
HOT = 0.005  # first temperature, as a share of the first makespan


def schedule(transactions):
    batch, keys = contended(transactions)
    steps = sum(len(uses) + 1 for _, uses in batch)
    return anneal(batch, keys, earliest_first(batch, keys), min(MOST_MOVES, WORK // steps))


def contended(transactions):
    """Length of each transaction and its uses (key, first read, first write, last write, last) of contended keys."""
    users, written = {}, set()
    for t in transactions:
        for key in set(t.keys):
            users[key] = users.get(key, 0) + 1
        written.update(key for key, writes in zip(t.keys, t.writes, strict=True) if writes)
    number = {}
    batch = []
    for t in transactions:
        uses = {}
        for position, (key, writes) in enumerate(zip(t.keys, t.writes, strict=True)):
            if users[key] == 1 or key not in written:
                continue
            use = uses.setdefault(key, [number.setdefault(key, len(number)), None, None, None, 0])
            if use[1 + writes] is None:
                use[1 + writes] = position
            if writes:
                use[3] = position
            use[4] = position
        batch.append((len(t.keys), [tuple(use) for use in uses.values()]))
    return batch, len(number)


def earliest_first(batch, keys):
    """Greedy: append what can start earliest."""
    last_write, last_use = [-1] * keys, [-1] * keys
    left = list(range(len(batch)))
    order = []
    while left:
        starts = [start_of(batch[one][1], last_write, last_use) for one in left]
        index = min(range(len(left)), key=lambda i: (starts[i], -batch[left[i]][0]))
        one = left.pop(index)
        place(batch[one][1], starts[index], last_write, last_use)
        order.append(one)
    return order


def anneal(batch, keys, order, moves):
    rng = random.Random(0)
    count = len(order)
    current = lowest = makespan(batch, keys, order)
    best = order
    for move in range(moves):
        heat = HOT * lowest * (1.0 - move / moves) + 1e-9
        i, j = rng.randrange(count), rng.randrange(count)
        other = order[:]
        if rng.random() < SWAP:
            other[i], other[j] = other[j], other[i]
        else:
            other.insert(j, other.pop(i))
        took = makespan(batch, keys, other)
        if took <= current or rng.random() < math.exp((current - took) / heat):
            order, current = other, took
            if took < lowest:
                best, lowest = other, took
    return best


def makespan(batch, keys, order):
    last_write, last_use = [-1] * keys, [-1] * keys
    end = 0
    for one in order:
        length, uses = batch[one]
        start = start_of(uses, last_write, last_use)
        place(uses, start, last_write, last_use)
        if start + length > end:
            end = start + length
    return end


def start_of(uses, last_write, last_use):
    start = 0
    for key, first_read, first_write, _, _ in uses:
        if first_read is not None and last_write[key] + 1 - first_read > start:
            start = last_write[key] + 1 - first_read
        if first_write is not None and last_use[key] + 1 - first_write > start:
            start = last_use[key] + 1 - first_write
    return start


def place(uses, start, last_write, last_use):
    for key, _, _, final_write, final in uses:
        if start + final > last_use[key]:
            last_use[key] = start + final
        if final_write is not None:
            last_write[key] = start + final_write
