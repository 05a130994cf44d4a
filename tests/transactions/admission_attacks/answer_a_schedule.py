# expect: wrong
def next_transaction(now, pending, running):
    return [transaction.id for transaction in pending]
