"""List scheduling: append the transaction that can start earliest.

Graham 1969, "Bounds on multiprocessing timing anomalies", with keys in the place of machines: a transaction starts when
the last uses of its keys allow it. The price of a candidate may also count what else speaks for taking it now.
"""

START = 1.0  # price of a unit of time until it can start
LENGTH = 0.0  # of a unit of its length
END = 0.0  # of a unit by which it would lengthen the whole schedule
DEMAND = 0.0  # of a user of its keys, itself included, that is still to come


def schedule(transactions):
    batch = {t.id: (len(t.keys), list(zip(t.keys, t.writes, strict=True))) for t in transactions}
    demand = count_users(transactions)
    last_write, last_use = {}, {}
    finish = 0
    order = []
    while batch:
        best, lowest = None, None
        for one, (length, operations) in batch.items():
            start = earliest_start(operations, last_write, last_use)
            price = START * start + LENGTH * length
            price += END * max(0, start + length - finish)
            price += DEMAND * sum(demand[key] for key, _ in operations)
            if lowest is None or price < lowest:
                best, lowest = one, price
        length, operations = batch.pop(best)
        start = earliest_start(operations, last_write, last_use)
        finish = max(finish, start + length)
        append(operations, start, last_write, last_use)
        for key, _ in operations:
            demand[key] -= 1
        order.append(best)
    return order


def count_users(transactions):
    """Operations on each key."""
    users = {}
    for t in transactions:
        for key in t.keys:
            users[key] = users.get(key, 0) + 1
    return users


def earliest_start(operations, last_write, last_use):
    """When a transaction would start if it were appended now."""
    start = 0
    for position, (key, writes) in enumerate(operations):
        taken = (last_use if writes else last_write).get(key, -1)
        if taken >= start + position:
            start = taken + 1 - position
    return start


def append(operations, start, last_write, last_use):
    """Note down when the transaction uses its keys."""
    for position, (key, writes) in enumerate(operations):
        time = start + position
        last_use[key] = max(last_use.get(key, -1), time)
        if writes:
            last_write[key] = time
