# expect: wrong
"""Lets the clock creep: a token and a layer at a time."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, 1, 1)]
