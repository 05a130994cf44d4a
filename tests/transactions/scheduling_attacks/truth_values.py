# expect: wrong
"""False and True count as 0 and 1 in Python."""


def schedule(transactions):
    return [False, True, *(t.id for t in transactions[2:])]
