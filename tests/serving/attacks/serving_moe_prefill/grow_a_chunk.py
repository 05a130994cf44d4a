# expect: wrong
"""One token passes all layers but the last, then the whole prompt passes that one."""


def schedule(now, waiting, prefilling, engine):
    prompt = (prefilling + waiting)[0]
    if prompt.layers:
        return [(prompt.id, prompt.tokens - prompt.computed, engine.layers - prompt.layers)]
    return [(prompt.id, 1, engine.layers - 1)]
