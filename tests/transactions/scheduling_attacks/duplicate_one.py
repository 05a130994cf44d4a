# expect: wrong
"""The longest transaction is left out, another comes twice."""


def schedule(transactions):
    order = [t.id for t in sorted(transactions, key=lambda t: len(t.keys))]
    return [*order[:-1], order[0]]
