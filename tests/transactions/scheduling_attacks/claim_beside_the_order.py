# expect: wrong
"""An order with a figure beside it."""


def schedule(transactions):
    return [t.id for t in transactions], 1
