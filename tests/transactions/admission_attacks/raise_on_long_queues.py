# expect: crash
def next_transaction(now, pending, running):
    if len(pending) > 8:
        raise RuntimeError("this one is hard")
    return pending[0].id
