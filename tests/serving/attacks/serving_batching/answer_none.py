# expect: wrong
def schedule(now, waiting, prefilling, decoding, engine):
    return None
