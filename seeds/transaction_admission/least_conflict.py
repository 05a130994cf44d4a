"""Least conflict first: the pending transaction that fewest locks of the running ones stand in the way of.

After Sheng et al., "Scheduling OLTP Transactions via Machine Learning" (2019, arXiv:1903.02990), with the conflicts
counted where the paper predicts them.
"""

CONFLICT = 1.0  # price of an operation on a key that a running transaction needs in a conflicting way
LEFT = 0.01  # price of a unit of time for which that transaction still runs if nothing holds it up
LENGTH = 0.01  # price of each operation
WAITED = 0.001  # discount for each unit of time since the arrival
TOLERATED = 6.0  # what costs more is not started while something runs


def next_transaction(now, pending, running):
    readers, writers = time_left(running)
    best = min(pending, key=lambda transaction: price(transaction, now, readers, writers))
    if running and price(best, now, readers, writers) > TOLERATED:
        return -1
    return best.id


def time_left(running):
    """How long the keys that running transactions read, and those that they write, are in use at least."""
    readers, writers = {}, {}
    for transaction in running:
        left = len(transaction.keys) - transaction.position
        for key, write in zip(transaction.keys, transaction.writes, strict=True):
            users = writers if write else readers
            users[key] = max(left, users.get(key, 0))
    return readers, writers


def price(transaction, now, readers, writers):
    """What starting the transaction now is expected to cost."""
    total = LENGTH * len(transaction.keys) - WAITED * (now - transaction.arrived)
    for key, write in zip(transaction.keys, transaction.writes, strict=True):
        if key in writers:
            total += CONFLICT + LEFT * writers[key]
        elif write and key in readers:
            total += CONFLICT + LEFT * readers[key]
    return total
