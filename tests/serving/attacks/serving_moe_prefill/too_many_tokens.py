# expect: wrong
"""One token more than the prompt has."""


def schedule(now, waiting, prefilling, engine):
    prompt = (prefilling + waiting)[0]
    return [(prompt.id, prompt.tokens - prompt.computed + 1, engine.layers)]
