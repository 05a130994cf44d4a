# expect: wrong
"""Ids as floating-point numbers, one of them between two others."""


def schedule(transactions):
    return [0.5, *(float(t.id) for t in transactions[1:])]
