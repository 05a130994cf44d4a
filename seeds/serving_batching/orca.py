"""Orca: iteration-level scheduling with selective batching, memory reserved for the longest answer.

Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models" (OSDI 2022), section 4.2 and
algorithm 1: each iteration takes up to MOST requests in order of arrival, whole prompts and next tokens together. A
request is admitted only if the key-value slots for its longest possible answer can be reserved, so none is preempted.

MOST (the paper's max_bs) is chosen on the train workloads by `benchmarks/serving_batching_tuning.py`. ANSWER stands for
the request's max_tokens, which no workload's answers exceed by much; should one, and blocks run out, the latest goes.
"""

from interface import FREES, GENERATED, ID, PROMPT, Step

MOST = 128
ANSWER = 1024  # tokens


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    budget = engine.max_tokens - len(decoding)
    reserved = sum(slots(request.tokens - request.generated, engine) for request in prefilling)
    if len(decoding):
        longest = decoding[:, PROMPT] + decoding[:, GENERATED].clip(min=ANSWER)
        reserved += int((longest // engine.block_size + 1).sum())
    for request in prefilling:  # what is left of prompts longer than an iteration can be
        budget = take(step, request, budget)
    for request in waiting[: min(MOST, engine.max_requests) - len(decoding) - len(prefilling)]:
        reserved += slots(request.tokens - request.generated, engine)
        running = len(decoding) or step.prefill
        if running and (reserved > engine.blocks or request.tokens > budget):
            break
        budget = take(step, request, budget)
    return step if engine.needed <= engine.free else decode_fewer(decoding, engine)


def slots(prompt, engine):
    """Blocks for a prompt and the longest answer."""
    return (prompt + ANSWER) // engine.block_size + 1


def take(step, request, budget):
    tokens = min(request.tokens - request.computed, budget)
    if tokens > 0:
        step.prefill.append((request.id, tokens))
    return budget - tokens


def decode_fewer(decoding, engine):
    """Only when answers exceed what was reserved."""
    step, free = Step(), engine.free
    for row in decoding[:0:-1]:
        if engine.needed <= free:
            break
        step.preempt.append(int(row[ID]))
        free += int(row[FREES])
        step.iterations = 1  # who waits may be admitted in the next
    return step
