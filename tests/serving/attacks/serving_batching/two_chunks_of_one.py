# expect: wrong
from interface import Step


def schedule(now, waiting, prefilling, decoding, engine):
    request = waiting[0]
    return Step(prefill=[(request.id, 1), (request.id, 1)])
