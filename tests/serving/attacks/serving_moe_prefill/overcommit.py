# expect: wrong
"""Begins every prompt with one token, whatever room there is for the rest."""


def schedule(now, waiting, prefilling, engine):
    begun = [(each.id, 1, engine.layers) for each in waiting]
    return begun or [(each.id, each.tokens - each.computed, engine.layers) for each in prefilling[:1]]
