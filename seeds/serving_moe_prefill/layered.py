"""Layered prefill: whole prompts pass one group of layers an iteration, while all layers decode.

Lee et al., "From Tokens to Layers: Redefining Stall-Free Scheduling for LLM Serving with Layered Prefill" (MLSys 2026,
arXiv:2510.08055): the layers are divided into max(1, ceil(L / 512)) contiguous groups for prompts of L tokens together,
so that an iteration does about the work of a chunk of 512 tokens, and each layer reads its experts once. Prompts that
arrive while a batch of prompts is under way wait for its end.
"""

WORK = 512  # tokens of prefill whose work an iteration does


def schedule(now, waiting, prefilling, engine):
    under_way = [prompt for prompt in prefilling if prompt.chunk]
    if under_way:
        tokens = sum(prompt.chunk for prompt in under_way)
        layers = group_end(under_way[0].layers, tokens, engine.layers) - under_way[0].layers
        return [(prompt.id, prompt.chunk, layers) for prompt in under_way]
    budget, room = engine.batch_tokens - engine.decoding, engine.free_blocks
    chosen = []
    for prompt in prefilling + waiting[: engine.free_places]:
        left = prompt.tokens - prompt.computed
        tokens = min(left, budget)
        room -= prompt.blocks
        if tokens <= 0 or room < 0 or (chosen and tokens < left):
            break
        chosen.append((prompt.id, tokens))
        budget -= tokens
    layers = group_end(0, sum(tokens for _, tokens in chosen), engine.layers)
    return [(id, tokens, layers) for id, tokens in chosen]


def group_end(passed, tokens, layers):
    """The first layer behind the group that begins at layer `passed`."""
    groups = min(max(1, -(-tokens // WORK)), layers)
    group = next(each for each in range(groups + 1) if each * layers // groups > passed)
    return group * layers // groups
