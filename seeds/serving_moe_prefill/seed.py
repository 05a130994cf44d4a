"""Prompts in order of arrival, a constant amount of work an iteration: tokens times share of the layers that they pass.

Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve" (OSDI 2024), with the share of
the layers left open: while CHUNK is not above WORK this is chunked prefill.
"""

CHUNK = 512  # tokens of a chunk, at most
WORK = 512  # of an iteration, decodes included
LEAST = 64  # of that for prompts, however many decode


def schedule(now, waiting, prefilling, engine):
    work = max(WORK - engine.decoding, LEAST)
    budget, room, places = engine.batch_tokens - engine.decoding, engine.free_blocks, engine.free_places
    chunks = []
    for prompt in sorted(prefilling + waiting, key=lambda prompt: rank(prompt, now)):
        tokens = prompt.chunk or min(prompt.tokens - prompt.computed, CHUNK, budget)
        fits = prompt.blocks == 0 or (prompt.blocks <= room and places > 0)
        if work > 0 and 0 < tokens <= budget and fits:
            layers = min(max(1, round(work / tokens * engine.layers)), engine.layers - prompt.layers)
            chunks.append((prompt.id, tokens, layers))
            work -= tokens * layers / engine.layers
            budget -= tokens
            if prompt.blocks > 0:
                room -= prompt.blocks
                places -= 1
    return chunks


def rank(prompt, now):
    """The lowest goes first."""
    return prompt.arrived
