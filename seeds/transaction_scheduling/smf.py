"""Shortest Makespan First with sampling (Cheng et al., "Towards Optimal Transaction Scheduling", PVLDB 17(11), 2024,
section 3.1).

It starts from a random transaction. In each round it samples k of the transactions that are left and appends the one
that lengthens the schedule least, one of the best at random in a tie. The paper finds k = 5 sufficient. All accesses
are known here, as in the paper's offline setting.
"""

import random

SAMPLE = 5


def schedule(transactions):
    rng = random.Random(0)
    left = {t.id: (len(t.keys), list(zip(t.keys, t.writes, strict=True))) for t in transactions}
    last_write, last_use = {}, {}
    makespan = 0
    order = []
    while left:
        candidates = rng.sample(list(left), min(SAMPLE if order else 1, len(left)))  # in a random order: so are ties
        starts = {one: earliest_start(left[one][1], last_write, last_use) for one in candidates}
        best = min(candidates, key=lambda one: max(makespan, starts[one] + left[one][0]))
        length, operations = left.pop(best)
        makespan = max(makespan, starts[best] + length)
        append(operations, starts[best], last_write, last_use)
        order.append(best)
    return order


def earliest_start(operations, last_write, last_use):
    start = 0
    for position, (key, writes) in enumerate(operations):
        start = max(start, (last_use if writes else last_write).get(key, -1) + 1 - position)
    return start


def append(operations, start, last_write, last_use):
    for position, (key, writes) in enumerate(operations):
        last_use[key] = max(last_use.get(key, -1), start + position)
        if writes:
            last_write[key] = start + position
