# expect: wrong
"""Prefills a request that nobody sent."""


def schedule(now, waiting, prefilling, engine):
    return [(10**6, 16, engine.layers)]
