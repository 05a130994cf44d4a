# expect: timeout
def next_transaction(now, pending, running):
    while len(pending) > 8:
        pass
    return pending[0].id
