# expect: wrong
"""The longest transaction is replaced by one that does not exist."""


def schedule(transactions):
    order = [t.id for t in sorted(transactions, key=lambda t: len(t.keys))]
    return [*order[:-1], len(order)]
