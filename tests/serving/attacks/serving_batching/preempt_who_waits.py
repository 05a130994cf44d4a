# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(preempt=[waiting[0].id])
