"""First come, first served: every iteration decodes, and what is left of a budget of tokens goes to prompts in order.

A request is admitted when its whole prompt has room. When blocks run out, those that began to generate last give their
KV back and are computed again later, as in vLLM (Kwon et al., "Efficient Memory Management for Large Language Model
Serving with PagedAttention", SOSP 2023, section 4.5). The budget is vLLM's default.
"""

from interface import FREES, ID, Step

BUDGET = 2048  # tokens of an iteration
MOST = 256  # requests that run at a time
RESERVE = 0.01  # of the blocks: stays free at admission


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    free = engine.free - engine.needed - sum(whole(request, engine) for request in prefilling)
    for row in decoding[::-1]:
        if free >= 0:
            break
        step.preempt.append(int(row[ID]))
        free += int(row[FREES])
    budget = min(BUDGET, engine.max_tokens) - len(decoding)
    for request in sorted(prefilling, key=urgency):
        budget = take(step, request, budget)
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    for request in sorted(waiting, key=urgency):
        running = len(decoding) or prefilling or step.prefill
        reserve = RESERVE * engine.blocks if running else 0
        if budget <= 0 or seats <= 0 or step.preempt or whole(request, engine) > free - reserve:
            break
        free -= whole(request, engine)
        budget = take(step, request, budget)
        seats -= 1
    return step


def urgency(request):
    """Who goes first: the least."""
    return request.arrived


def whole(request, engine):
    """Blocks that the rest of its prompt takes."""
    return -(-request.tokens // engine.block_size) - request.blocks


def take(step, request, budget):
    """The next chunk; returns what is left of the budget."""
    tokens = min(request.tokens - request.computed, budget)
    if tokens > 0:
        step.prefill.append((request.id, tokens))
        budget -= tokens
    return budget
