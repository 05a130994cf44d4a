# expect: wrong
"""Tokens that compare with nothing."""


def schedule(now, waiting, prefilling, engine):
    return [((prefilling + waiting)[0].id, float("nan"), engine.layers)]
