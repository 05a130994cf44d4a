# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Prompts pile up behind the first; then all go in one iteration."""
    if sum(request.tokens for request in waiting) > engine.max_tokens:
        return Step(prefill=[(request.id, request.tokens) for request in waiting])
    if len(decoding):
        return Step()
    return serve(waiting[:1], prefilling, decoding, engine)


def serve(waiting, prefilling, decoding, engine):
    """A legal step: prompts in order."""
    step, budget = Step(), 2048 - len(decoding)
    for request in prefilling + waiting[: engine.max_requests - len(decoding) - len(prefilling)]:
        tokens = min(request.tokens - request.computed, budget)
        if tokens > 0:
            step.prefill.append((request.id, tokens))
            budget -= tokens
    return step
