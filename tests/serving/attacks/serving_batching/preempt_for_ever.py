# expect: wrong
from interface import ID, Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Always busy, never done: whoever has generated a token is thrown out and computed again."""
    if len(decoding):
        return Step(
            preempt=decoding[:, ID].astype(int).tolist(),
            prefill=[(waiting[0].id, min(waiting[0].tokens, 512))] if waiting else [],
        )
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
