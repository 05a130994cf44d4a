# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    return Step(resume=[waiting[0].id])
