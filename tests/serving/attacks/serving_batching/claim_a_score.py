# expect: wrong
def schedule(now, waiting, prefilling, decoding, engine):
    return {"slo_attainment": 1.0}
