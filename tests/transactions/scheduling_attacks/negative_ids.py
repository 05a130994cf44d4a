# expect: wrong
"""Names the transactions from the end, as Python's lists would let it; one of them twice."""


def schedule(transactions):
    return [t.id - len(transactions) for t in transactions]
