# expect: ok
from interface import ID, Step


def schedule(now, waiting, prefilling, decoding, engine):
    """The KV goes to the host and back, again and again."""
    back = [request.id for request in waiting if request.swapped]
    if back:
        return Step(resume=back)
    step = serve([request for request in waiting if not request.swapped], prefilling, decoding, engine)
    step.preempt, step.swap = decoding[1:, ID].astype(int).tolist(), True
    return step


def serve(waiting, prefilling, decoding, engine):
    """A legal step: prompts in order."""
    step, budget = Step(), 2048 - len(decoding)
    for request in prefilling + waiting[: engine.max_requests - len(decoding) - len(prefilling)]:
        tokens = min(request.tokens - request.computed, budget)
        if tokens > 0:
            step.prefill.append((request.id, tokens))
            budget -= tokens
    return step
