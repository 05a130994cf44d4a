# expect: wrong
"""The shortest schedule of all."""


def schedule(transactions):
    return []
