# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Uncompute: have the clock run backwards."""
    return Step(prefill=[(waiting[0].id, -1000)])
