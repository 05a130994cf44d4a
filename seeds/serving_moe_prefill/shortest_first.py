"""Chunked prefill, fewest tokens left first.

Shortest remaining processing time, which has the least mean response time on one machine (Schrage 1968), with the
tokens of the prompt for the time. The budget is the one of 512, 640, 768 and 896 that does best on the train workloads.
"""

BUDGET = 512


def schedule(now, waiting, prefilling, engine):
    budget, room = min(BUDGET, engine.batch_tokens) - engine.decoding, engine.free_blocks
    places = engine.free_places
    chunks = []
    for prompt in sorted(prefilling + waiting, key=lambda prompt: prompt.tokens - prompt.computed):
        tokens = min(prompt.tokens - prompt.computed, budget)
        if tokens <= 0:
            break
        if prompt.blocks <= room and (prompt.blocks == 0 or places > 0):
            chunks.append((prompt.id, tokens, engine.layers))
            budget -= tokens
            room -= prompt.blocks
            places -= prompt.blocks > 0
    return chunks
