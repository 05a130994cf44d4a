# expect: timeout
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    while len(decoding) > 3:
        pass
    return serve(waiting, prefilling, decoding, engine)


def serve(waiting, prefilling, decoding, engine):
    """A legal step: prompts in order."""
    step, budget = Step(), 2048 - len(decoding)
    for request in prefilling + waiting[: engine.max_requests - len(decoding) - len(prefilling)]:
        tokens = min(request.tokens - request.computed, budget)
        if tokens > 0:
            step.prefill.append((request.id, tokens))
            budget -= tokens
    return step
