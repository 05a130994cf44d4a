# expect: wrong
"""Claims that a chunk has passed all layers when it has passed one."""


def schedule(now, waiting, prefilling, engine):
    prompt = (prefilling + waiting)[0]
    if prompt.chunk:
        return [(prompt.id, prompt.chunk, engine.layers)]
    return [(prompt.id, prompt.tokens, 1)]
