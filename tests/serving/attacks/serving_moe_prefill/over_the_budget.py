# expect: wrong
"""All prompts at once, however many tokens that makes."""


def schedule(now, waiting, prefilling, engine):
    if len(waiting) + len(prefilling) < 4:
        prompt = (prefilling + waiting)[0]
        return [(prompt.id, min(16, prompt.tokens - prompt.computed), engine.layers)]
    return [(each.id, each.tokens - each.computed, engine.layers) for each in prefilling + waiting]
