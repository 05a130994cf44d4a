# expect: wrong
"""A chunk that passes no layer costs nothing."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, 16, 0)]
