"""Virtual Token Counter: of what waits, a request of the tenant that has been served least.

Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024), algorithm 2: each tenant has a counter; it grows
by the prompt's tokens when a request is admitted, and by twice the tokens that its requests generate (w_p = 1, w_q =
2). A tenant that had nothing waiting is lifted to the least counter of those who have (or, if nobody has, to that of
the last one admitted), so that it saves up no credit. Tokens generated are seen when the engine asks: a request's last
few may go uncounted.

Chunks, admission of whole prompts and preemption of the latest are those of `sarathi_serve.py`, with BUDGET as there.
"""

from interface import FREES, GENERATED, ID, TENANT, Step

BUDGET = 1024
MOST = 256
WATERMARK = 0.01  # of the blocks: stays free at admission
PROMPT_WEIGHT, ANSWER_WEIGHT = 1.0, 2.0

counters = {}  # tenant -> weighted tokens
generated = {}  # id -> tokens that were counted
queued = set()  # tenants that had something waiting at the last call
last_admitted = []


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    count_answers(decoding)
    lift(waiting)
    running = list(prefilling)
    free = make_room(step, running, decoding, engine) - engine.needed
    step.iterations = 1 if step.preempt else 0  # who waits may be admitted in the next
    budget = min(BUDGET, engine.max_tokens) - len(decoding)
    for request in running:
        free -= whole(request, engine)  # had its room when it was admitted
        budget = take(step, request, budget)
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    queue = list(waiting)
    while queue and seats > 0 and budget > 0 and not step.preempt:
        request = min(queue, key=least_served)
        free -= whole(request, engine)
        alone = not (len(decoding) or prefilling or step.prefill)
        if not (alone or free >= WATERMARK * engine.blocks):
            break
        queue.remove(request)
        counters[request.tenant] += PROMPT_WEIGHT * request.tokens
        last_admitted[:] = [request.tenant]
        budget = take(step, request, budget)
        seats -= 1
    return step


def least_served(request):
    return counters[request.tenant], request.arrived


def count_answers(decoding):
    """Charge what was generated since the last call."""
    rows = decoding[:, [ID, TENANT, GENERATED]].tolist()
    for identity, tenant, tokens in rows:
        counters[int(tenant)] = counters.get(int(tenant), 0.0) + ANSWER_WEIGHT * (tokens - generated.get(identity, 0))
    generated.clear()
    generated.update((identity, tokens) for identity, _, tokens in rows)


def lift(waiting):
    """Who comes back is put level with those who waited."""
    tenants = {request.tenant for request in waiting}
    level = min((counters[tenant] for tenant in (tenants & queued) or last_admitted), default=0.0)
    for tenant in tenants - queued:
        counters[tenant] = max(counters.get(tenant, 0.0), level)
    queued.clear()
    queued.update(tenants)


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
