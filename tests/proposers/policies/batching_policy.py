"""Fill the batch with the requests of the highest priority that fit, as long as they fit.

The priority is a weighted sum of waiting time and size, after highest response ratio next (Brinch Hansen 1971).
"""

MAX_BATCH = 6
AGING = 0.9
SIZE_PENALTY = 0.0


def waiting_time(request, now):
    """Seconds since the request came."""
    return now - request.arrival


def work(request):
    """Tokens that the request will cost."""
    prefill = request.prompt_tokens * 0.1
    decode = request.expected_tokens * 0.05
    return prefill + decode


def priority(request, now):
    """Larger starts earlier."""
    waited = waiting_time(request, now)
    score = AGING * waited - SIZE_PENALTY * work(request)
    if request.priority_class > 0:
        score = score + 1.0
    if waited > 30.0:
        score = score * 2.0
    return score


def fits(request, used, token_budget):
    """Whether the prompt still fits the budget."""
    return used + request.prompt_tokens <= token_budget


def shortest_first(waiting, chosen):
    """Start the short ones of a batch first."""
    return sorted(chosen, key=lambda index: (waiting[index].expected_tokens, index))


def select(waiting, now, token_budget):
    """Greedy by priority; the batch ends with the first request that does not fit."""
    order = sorted(range(len(waiting)), key=lambda index: -priority(waiting[index], now))
    chosen = []
    used = 0
    for index in order:
        request = waiting[index]
        if len(chosen) >= MAX_BATCH:
            break
        if not fits(request, used, token_budget):
            break
        chosen.append(index)
        used += request.prompt_tokens
    if not chosen and order:
        chosen = [min(order, key=lambda index: waiting[index].prompt_tokens)]
    return shortest_first(waiting, chosen)
