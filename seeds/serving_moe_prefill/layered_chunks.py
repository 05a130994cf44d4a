"""Layered prefill of large chunks: up to 4,096 tokens pass one group of layers an iteration, while all layers decode.

Lee et al., "From Tokens to Layers: Redefining Stall-Free Scheduling for LLM Serving with Layered Prefill" (MLSys 2026,
arXiv:2510.08055): layered prefill goes together with chunks, which may then be large; the authors' implementation
(github.com/scale-snu/layered-prefill) takes up to 8,192 tokens at a time. Long prompts reread few weights, and those
behind them wait less. The chunk is the one of 2,048, 4,096 and 8,192 tokens that does best on the train workloads.
"""

CHUNK = 4096
WORK = 512  # tokens of prefill whose work an iteration does


def schedule(now, waiting, prefilling, engine):
    under_way = [prompt for prompt in prefilling if prompt.chunk]
    if under_way:
        tokens = sum(prompt.chunk for prompt in under_way)
        layers = group_end(under_way[0].layers, tokens, engine.layers) - under_way[0].layers
        return [(prompt.id, prompt.chunk, layers) for prompt in under_way]
    budget, room = min(CHUNK, engine.batch_tokens - engine.decoding), engine.free_blocks
    chosen = []
    for prompt in prefilling + waiting[: engine.free_places]:
        tokens = min(prompt.tokens - prompt.computed, budget)
        room -= prompt.blocks
        if tokens <= 0 or room < 0:
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
