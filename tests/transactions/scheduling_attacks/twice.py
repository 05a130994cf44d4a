# expect: wrong
"""Every transaction twice: the order is complete, and then some."""


def schedule(transactions):
    return [t.id for t in transactions] * 2
