# expect: wrong crash
"""Numbers beyond 64 bits."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, 2**70, engine.layers)]
