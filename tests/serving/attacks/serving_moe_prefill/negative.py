# expect: wrong
"""Negative tokens, to be paid back."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, -512, engine.layers)]
