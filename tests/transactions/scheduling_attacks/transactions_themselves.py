# expect: wrong
"""The rows instead of their ids, with fewer operations."""


def schedule(transactions):
    for t in transactions:
        t.keys = t.keys[:1]
    return transactions
