# expect: wrong timeout
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """A token of prompt an iteration: time passes, and hardly anything happens."""
    return Step(prefill=[(request.id, 1) for request in (prefilling + waiting)[:1]], decode=not prefilling)
