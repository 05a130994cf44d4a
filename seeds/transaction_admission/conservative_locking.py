"""Conservative two-phase locking: start only what needs no lock that a running transaction has or will need.

Bernstein, Hadzilacos, Goodman, "Concurrency Control and Recovery in Database Systems" (1987), section 3.5: a
transaction's locks are all taken before its first operation, so nothing that runs ever waits or aborts. Here the
declared keys stand for the locks; of those that can start, the earliest arrival does.
"""


def next_transaction(now, pending, running):
    locked = {}  # key -> whether exclusively
    for transaction in running:
        for key, write in zip(transaction.keys, transaction.writes, strict=True):
            locked[key] = locked.get(key, False) or write
    for transaction in pending:
        operations = zip(transaction.keys, transaction.writes, strict=True)
        if not any(key in locked and (write or locked[key]) for key, write in operations):
            return transaction.id
    return -1
