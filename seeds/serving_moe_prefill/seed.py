"""Chunks in order of arrival: an iteration takes so many tokens through all layers, or more through fewer.

Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve" (OSDI 2024), with the share of
the layers left open: at WORK = CHUNK this is chunked prefill.
"""

CHUNK = 512  # tokens of a chunk, at most
WORK = 512  # tokens times share of the layers that an iteration does, decodes included
LEAST = 64  # of that for prompts, however many decode


def schedule(now, waiting, prefilling, engine):
    work = max(WORK - engine.decoding, LEAST)
    budget, room = engine.batch_tokens - engine.decoding, engine.free_blocks
    chunks = []
    for prompt in prefilling + waiting[: engine.free_places]:
        tokens = prompt.chunk or min(prompt.tokens - prompt.computed, CHUNK, budget)
        room -= prompt.blocks
        if work <= 0 or tokens <= 0 or tokens > budget or room < 0:
            break
        layers = min(max(1, round(work / tokens * engine.layers)), engine.layers - prompt.layers)
        chunks.append((prompt.id, tokens, layers))
        work -= tokens * layers / engine.layers
        budget -= tokens
    return chunks
