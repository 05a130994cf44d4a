# expect: wrong
"""Serves all but the first request, for ever."""


def schedule(now, waiting, prefilling, engine):
    budget, room = 512, engine.free_blocks
    chunks = []
    for prompt in prefilling + waiting[: engine.free_places]:
        tokens = min(prompt.tokens - prompt.computed, budget)
        room -= prompt.blocks
        if prompt.id and tokens > 0 and room >= 0:
            chunks.append((prompt.id, tokens, engine.layers))
            budget -= tokens
    return chunks
