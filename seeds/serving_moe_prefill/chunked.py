"""Chunked prefill as in vLLM V1: a budget of tokens an iteration, decodes first, prompts in order of arrival.

Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve" (OSDI 2024): decodes are never
stalled, and prompts fill what they leave of the budget, in chunks that pass all layers; vLLM's V1 scheduler does the
same. The budget is the one of 256, 512, 640, 768, 896, 1024 and 2048 that does best on the train workloads.
"""

BUDGET = 640


def schedule(now, waiting, prefilling, engine):
    budget, room = min(BUDGET, engine.batch_tokens) - engine.decoding, engine.free_blocks
    chunks = []
    for prompt in prefilling + waiting[: engine.free_places]:
        tokens = min(prompt.tokens - prompt.computed, budget)
        room -= prompt.blocks
        if tokens <= 0 or room < 0:
            break
        chunks.append((prompt.id, tokens, engine.layers))
        budget -= tokens
    return chunks
