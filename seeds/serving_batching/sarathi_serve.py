"""Sarathi-Serve: stall-free batching with chunked prefill under a budget of tokens.

Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve" (OSDI 2024), algorithm 3: each
iteration has first all decodes, then the next chunks of the prefills under way, and then admits new requests, as long
as the token budget is not used up. So no decode waits for a long prompt. A request is admitted when its whole prompt
has room; when blocks run out, the latest is preempted and recomputed.

BUDGET is chosen on the train workloads by `benchmarks/serving_batching_tuning.py` (the paper takes 512 under strict and
2048 under relaxed SLOs); MOST is the paper's batch size.
"""

from interface import FREES, ID, Step

BUDGET = 1024
MOST = 128
WATERMARK = 0.01  # of the blocks: stays free at admission


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    running = list(prefilling)
    free = make_room(step, running, decoding, engine) - engine.needed
    step.iterations = 1 if step.preempt else 0  # who waits may be admitted in the next
    budget = min(BUDGET, engine.max_tokens) - len(decoding)
    for request in running:
        free -= whole(request, engine)  # had its room when it was admitted
        budget = take(step, request, budget)
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    for request in waiting[: max(seats, 0)]:
        free -= whole(request, engine)
        alone = not (len(decoding) or prefilling or step.prefill)
        if budget <= 0 or step.preempt or not (alone or free >= WATERMARK * engine.blocks):
            break
        budget = take(step, request, budget)
    return step


def whole(request, engine):
    """Blocks that the rest of its prompt takes."""
    return -(-request.tokens // engine.block_size) - request.blocks


def take(step, request, budget):
    """The next chunk; returns what is left of the budget."""
    tokens = min(request.tokens - request.computed, budget)
    if tokens > 0:
        step.prefill.append((request.id, tokens))
    return budget - max(tokens, 0)


def make_room(step, running, decoding, engine):
    """Preempt the latest until the next tokens, and the prompts under way, fit. Returns the free blocks."""
    free = engine.free
    last = len(decoding) - 1
    while engine.needed + sum(whole(request, engine) for request in running) > free and running[1:]:
        victim = running.pop()
        step.preempt.append(victim.id)
        free += victim.frees
    while engine.needed + sum(whole(request, engine) for request in running) > free and last >= (0 if running else 1):
        step.preempt.append(int(decoding[last, ID]))
        free += int(decoding[last, FREES])
        last -= 1
    return free
