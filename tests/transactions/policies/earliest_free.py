"""Evidence of head-room: what waits least for its locks first, short ones first, and nothing that would wait long."""

COMMIT = 2.0
LENGTH = 0.3  # of each operation
WAITED = 0.02  # discount for each unit of time since the arrival
LONGEST_WAIT = 5.0


def next_transaction(now, pending, running):
    read_free, write_free = {}, {}
    for transaction in running:
        add(transaction, transaction.position, now, read_free, write_free, record=True)
    waits = [wait(each, now, read_free, write_free) for each in pending]
    prices = [waits[i] + LENGTH * len(each.keys) - WAITED * (now - each.arrived) for i, each in enumerate(pending)]
    best = prices.index(min(prices))
    return -1 if running and waits[best] > LONGEST_WAIT else pending[best].id


def wait(transaction, now, read_free, write_free):
    return add(transaction, 0, now, read_free, write_free, record=False) - now - len(transaction.keys) - COMMIT


def add(transaction, position, now, read_free, write_free, record):
    """When the transaction commits if it goes on from `position` now and waits for all before it."""
    time = now
    operations = list(zip(transaction.keys, transaction.writes, strict=True))
    for key, write in operations[position:]:
        time = max(time, (write_free if write else read_free).get(key, now)) + 1.0
    end = time + COMMIT
    if record:
        for key, write in operations:
            write_free[key] = max(end, write_free.get(key, now))
            if write:
                read_free[key] = max(end, read_free.get(key, now))
    return end
