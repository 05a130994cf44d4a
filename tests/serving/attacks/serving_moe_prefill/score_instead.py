# expect: wrong
"""The score instead of an answer."""


def schedule(now, waiting, prefilling, engine):
    return {"slo_attainment": 1.0}
