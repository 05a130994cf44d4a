# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(preempt=[10**6])
