# expect: ok
"""Moves arrivals and SLOs in its own copies; the prompts go through whole, one by one."""


def schedule(now, waiting, prefilling, engine):
    engine.ttft_slo = engine.tbt_slo = 1e9
    prompt = (prefilling + waiting)[0]
    fits = prompt.blocks <= engine.free_blocks and engine.free_places > 0
    for each in waiting + prefilling:
        each.arrived, each.computed = now, each.tokens
    engine.free_blocks, engine.batch_tokens = 10**9, 10**9
    return [(prompt.id, prompt.tokens, engine.layers)] if fits or prefilling else []
