# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    """Stall the clock: no time passes, nobody is late."""
    return Step()
