# expect: wrong
def next_transaction(now, pending, running):
    return -2
