"""A conflict-aware list scheduler: whatever can start earliest, the longest of it first, then what conflicts with most.

List scheduling with the longest first (Graham 1969, "Bounds on multiprocessing timing anomalies"), ties by largest
degree in the conflict graph (Welsh and Powell 1967, "An upper bound for the chromatic number of a graph"): what
conflicts with many is placed while there is room. Two transactions conflict if one of them writes a key that both use.
"""


def schedule(transactions):
    rows = {t.id: (len(t.keys), list(zip(t.keys, t.writes, strict=True))) for t in transactions}
    degree = count_conflicts(rows)
    last_write, last_use = {}, {}
    order = []
    while rows:
        starts = {one: earliest_start(operations, last_write, last_use) for one, (_, operations) in rows.items()}
        best = min(rows, key=lambda one: (starts[one], -rows[one][0], -degree[one], one))
        _, operations = rows.pop(best)
        append(operations, starts[best], last_write, last_use)
        order.append(best)
    return order


def count_conflicts(rows):
    """Number of transactions that each conflicts with."""
    users, writers = {}, {}
    for one, (_, operations) in rows.items():
        for key, writes in operations:
            users.setdefault(key, set()).add(one)
            if writes:
                writers.setdefault(key, set()).add(one)
    degree = {}
    for one, (_, operations) in rows.items():
        rivals = set()
        for key, writes in operations:
            rivals |= users[key] if writes else writers.get(key, set())
        degree[one] = len(rivals - {one})
    return degree


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
