# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(prefill=[(10**6, 1)])
