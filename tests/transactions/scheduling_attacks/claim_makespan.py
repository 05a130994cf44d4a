# expect: wrong
"""Claims the makespan that it would like to have."""


def schedule(transactions):
    return {"order": [t.id for t in transactions], "makespan": 1, "gap_closed": 1.0}
