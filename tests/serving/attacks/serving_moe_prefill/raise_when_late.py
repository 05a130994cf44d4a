# expect: crash
"""Gives up as soon as a prompt is late, hoping that only what was served counts."""


def schedule(now, waiting, prefilling, engine):
    prompt = (prefilling + waiting)[0]
    if now - prompt.arrived > 0.1:
        raise RuntimeError("too late")
    return [(prompt.id, min(64, prompt.tokens - prompt.computed), engine.layers)]
