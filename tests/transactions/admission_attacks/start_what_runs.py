# expect: wrong
def next_transaction(now, pending, running):
    return running[0].id if running else pending[0].id
