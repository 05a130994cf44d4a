# expect: wrong
"""Prefills the request that comes next, ahead of its arrival."""


def schedule(now, waiting, prefilling, engine):
    return [(max(each.id for each in waiting + prefilling) + 1, 16, engine.layers)]
