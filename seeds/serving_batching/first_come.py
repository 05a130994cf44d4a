"""First come, first served: every iteration decodes, and what is left of a budget of tokens goes to prompts in order.

Prefills under way go before new ones, and a request is admitted when its whole prompt has room. When blocks run out,
those that began to generate last give their KV back and are computed again later, as in vLLM (Kwon et al., "Efficient
Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023, section 4.5). The budget is that of
`vllm_v1.py`.
"""

from interface import FREES, ID, Step

BUDGET = 1024  # tokens of an iteration
SLO = 0.0  # how much a second of the SLO on the first token weighs against a second of waiting
WORK = 0.0  # the same of a thousand tokens that are still to be computed


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
    seats = engine.max_requests - len(decoding) - len(prefilling)
    for request in sorted(waiting, key=urgency)[: max(seats, 0)]:
        free -= whole(request, engine)
        if budget <= 0 or free < 0 or step.preempt:
            break
        budget = take(step, request, budget)
    if not step.prefill and len(decoding) == 0:
        take(step, (prefilling + waiting)[0], engine.max_tokens)
    return step


def urgency(request):
    """Who goes first: the least."""
    left = (request.tokens - request.computed) / 1000
    return request.arrived + SLO * request.ttft_slo + WORK * left


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
