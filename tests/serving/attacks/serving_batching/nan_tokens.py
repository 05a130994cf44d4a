# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(prefill=[(waiting[0].id, float("nan"))])
