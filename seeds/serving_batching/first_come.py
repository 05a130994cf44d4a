"""First come, first served, in chunks: every iteration decodes, and prefills what is left of a budget of tokens.

When blocks run out, the request admitted last gives its KV back and is computed again later, as in vLLM (Kwon et al.,
"Efficient Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023, section 4.5).
"""

from interface import FREES, ID, Step

BUDGET = 1024  # tokens of an iteration, decodes included
RESERVE = 0.01  # of the blocks: kept free when requests are admitted
MOST = 256  # requests that run at a time


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    free = engine.free
    last = len(decoding) - 1
    while engine.needed > free and last > 0:
        step.preempt.append(int(decoding[last, ID]))
        free += int(decoding[last, FREES])
        last -= 1
    budget = BUDGET - len(decoding)
    free -= engine.needed
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    for request in sorted(prefilling, key=urgency):
        tokens = min(request.tokens - request.computed, budget)
        blocks = taken(request, tokens, engine)
        if tokens > 0 and blocks <= free:
            step.prefill.append((request.id, tokens))
            budget -= tokens
            free -= blocks
    for request in sorted(waiting, key=urgency):
        tokens = min(request.tokens - request.computed, budget)
        blocks = taken(request, tokens, engine)
        if tokens <= 0 or seats <= 0 or step.preempt or blocks > free - RESERVE * engine.blocks:
            break
        step.prefill.append((request.id, tokens))
        budget -= tokens
        free -= blocks
        seats -= 1
    return step


def urgency(request):
    """Who goes first: the least."""
    return request.arrived


def taken(request, tokens, engine):
    """Free blocks that a chunk takes."""
    return -(-(request.computed + tokens) // engine.block_size) - request.blocks
