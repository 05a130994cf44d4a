# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Whoever has the longest prompt is never served, and never late in the statistics of the others."""
    short = [request for request in waiting if request.tokens < 4000]
    return serve(short, prefilling, decoding, engine)


def serve(waiting, prefilling, decoding, engine):
    """A legal step: prompts in order."""
    step, budget = Step(), 2048 - len(decoding)
    for request in prefilling + waiting[: engine.max_requests - len(decoding) - len(prefilling)]:
        tokens = min(request.tokens - request.computed, budget)
        if tokens > 0:
            step.prefill.append((request.id, tokens))
            budget -= tokens
    return step
