# expect: wrong
"""More layers than the model has, to be through sooner."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, 16, 2 * engine.layers)]
