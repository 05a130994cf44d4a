"""First come, first served with priority of prefill: the scheduler of the vLLM of the PagedAttention paper (V0).

Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023), and
`vllm/core/scheduler.py` without chunked prefill: as long as waiting prompts fit, an iteration computes whole prompts,
as many as TOKENS allows, and all decodes stall; else it decodes. When blocks run out, the latest are preempted and
recomputed.

TOKENS (`max_num_batched_tokens`) is chosen on the train workloads by `benchmarks/serving_batching_tuning.py`; a longer
prompt is computed alone, as the limit there is no less than the longest prompt. The watermark is vLLM's.
"""

from interface import FREES, ID, Step

TOKENS = 8192
MOST = 256  # max_num_seqs
WATERMARK = 0.01  # of the blocks: stays free at admission


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step(decode=False)
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    free, budget = engine.free, min(TOKENS, engine.max_tokens)
    for request in prefilling:  # what is left of a prompt longer than an iteration can be
        free -= whole(request, engine)
        budget = take(step, request, budget)
    for request in waiting[:seats]:
        running = len(decoding) or prefilling or step.prefill
        free -= whole(request, engine)
        if running and free < WATERMARK * engine.blocks:
            break
        if budget <= 0 or (step.prefill and request.tokens - request.computed > budget):
            break
        budget = take(step, request, budget)
    return step if step.prefill else decode(decoding, engine)


def whole(request, engine):
    """Blocks that the rest of its prompt takes."""
    return -(-request.tokens // engine.block_size) - request.blocks


def take(step, request, budget):
    """The whole prompt, if an iteration can be so long; returns what is left of the budget."""
    tokens = min(request.tokens - request.computed, budget)
    if tokens > 0:
        step.prefill.append((request.id, tokens))
    return budget - tokens


def decode(decoding, engine):
    """All go on; or all but the latest, so many that blocks are enough for the others."""
    step, free = Step(), engine.free
    for row in decoding[:0:-1]:
        if engine.needed <= free:
            break
        step.preempt.append(int(row[ID]))
        free += int(row[FREES])
        step.iterations = 1  # who waits may be admitted in the next
    return step
