"""Load control by the conflict ratio: in order of arrival, unless too many locks belong to transactions that wait.

Moenkeberg, Weikum, "Performance Evaluation of an Adaptive and Robust Load Control Method for the Avoidance of
Data-Contention Thrashing" (VLDB 1992): the conflict ratio is the number of locks held by all transactions over that
of locks held by those that do not wait; beyond about 1.3 locking begins to thrash, so admission stops. The method's
second half cancels running transactions, which is not an admission policy's to do.
"""

CRITICAL = 1.3


def next_transaction(now, pending, running):
    held = {True: 0, False: 0}  # by whether the holder waits
    for transaction in running:
        through = transaction.position + (0 if transaction.waiting else 1)
        held[transaction.waiting] += len(set(transaction.keys[:through]))
    if running and held[True] + held[False] >= CRITICAL * held[False]:
        return -1
    return pending[0].id
