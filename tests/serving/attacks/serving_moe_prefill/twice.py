# expect: wrong
"""Two chunks of one prompt at once: its second half cannot attend to the first."""


def schedule(now, waiting, prefilling, engine):
    prompt = (prefilling + waiting)[0]
    return [(prompt.id, 8, engine.layers), (prompt.id, 8, engine.layers)]
