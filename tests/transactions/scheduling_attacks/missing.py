# expect: wrong
"""Leaves the longest transactions out."""


def schedule(transactions):
    return [t.id for t in sorted(transactions, key=lambda t: len(t.keys))][:-10]
