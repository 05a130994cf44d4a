"""Prefill first, whole prompts in order of arrival: they join the running batch as soon as they fit.

Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models" (OSDI 2022): iteration-level
scheduling, where new requests enter with the whole prompt in one iteration beside the decodes.
"""


def schedule(now, waiting, prefilling, engine):
    budget, room = engine.batch_tokens - engine.decoding, engine.free_blocks
    chunks = []
    for prompt in prefilling + waiting[: engine.free_places]:
        left = prompt.tokens - prompt.computed
        tokens = min(left, budget)
        room -= prompt.blocks
        if tokens <= 0 or room < 0 or (chunks and tokens < left):
            break  # a prompt is cut only if it is too long for an iteration of its own
        chunks.append((prompt.id, tokens, engine.layers))
        budget -= tokens
    return chunks
