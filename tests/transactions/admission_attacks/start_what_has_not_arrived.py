# expect: wrong
def next_transaction(now, pending, running):
    """Ids count arrivals, so the next one can be guessed."""
    return max(transaction.id for transaction in pending) + 1
