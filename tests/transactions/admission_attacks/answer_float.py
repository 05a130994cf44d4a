# expect: wrong
def next_transaction(now, pending, running):
    return float(pending[0].id)
