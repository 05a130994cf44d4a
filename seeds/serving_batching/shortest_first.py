"""Shortest predicted answer first, with chunked prefill.

Speculative shortest-job-first: Qiu et al., "Efficient Interactive LLM Serving with Proxy Model-based Sequence Length
Prediction" (arXiv:2404.08509), orders what waits by the predicted number of output tokens and does not disturb what
runs; Fu et al., "Efficient LLM Scheduling by Learning to Rank" (NeurIPS 2024), find that the order is what matters of a
prediction. A request without one counts as LONG: where nobody has one, the order is that of arrival.

Chunks, admission of whole prompts and preemption of the latest are those of `sarathi_serve.py`. BUDGET is chosen on the
train workloads by `benchmarks/serving_batching_tuning.py`.
"""

from interface import FREES, ID, Step

BUDGET = 1024
MOST = 256
WATERMARK = 0.01  # of the blocks: stays free at admission
LONG = 1 << 20  # tokens


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
    for request in sorted(waiting, key=predicted)[: max(seats, 0)]:
        free -= whole(request, engine)
        alone = not (len(decoding) or prefilling or step.prefill)
        if budget <= 0 or step.preempt or not (alone or free >= WATERMARK * engine.blocks):
            break
        budget = take(step, request, budget)
    return step


def predicted(request):
    """Tokens that it still makes, as far as anybody knows."""
    return LONG if request.predicted < 0 else request.predicted - request.generated


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
