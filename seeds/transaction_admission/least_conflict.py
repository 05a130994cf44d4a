"""Least conflict first: the pending transaction that fewest of the running ones stand in the way of.

After Sheng et al., "Scheduling OLTP Transactions via Machine Learning" (2019, arXiv:1903.02990), with the conflicts
counted where the paper predicts them. Ties go to the earliest arrival.
"""

WRITTEN = 1.0  # price of an operation on a key that a running transaction writes
READ = 1.0  # of a write to a key that running transactions read
LENGTH = 0.0  # of each operation
WAITED = 0.0  # discount for each unit of time since the arrival
TOLERATED = 10.0  # what costs more is not started while something runs


def next_transaction(now, pending, running):
    locked = keys_of(running)
    best = min(pending, key=lambda transaction: price(transaction, now, locked))
    if running and price(best, now, locked) > TOLERATED:
        return -1
    return best.id


def keys_of(running):
    """The keys that running transactions have locked or will: whether any of them writes it."""
    locked = {}
    for transaction in running:
        for key, write in zip(transaction.keys, transaction.writes, strict=True):
            locked[key] = locked.get(key, False) or write
    return locked


def price(transaction, now, locked):
    """What starting the transaction now is expected to cost."""
    total = LENGTH * len(transaction.keys) - WAITED * (now - transaction.arrived)
    for key, write in zip(transaction.keys, transaction.writes, strict=True):
        if key in locked:
            if locked[key]:
                total += WRITTEN
            elif write:
                total += READ
    return total
