# expect: wrong crash
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(prefill=[(2**70, 1)])
