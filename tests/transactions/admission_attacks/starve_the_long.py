# expect: ok
def next_transaction(now, pending, running):
    """The newest first, and of those the shortest: the others wait until nothing else is there."""
    return min(pending, key=lambda transaction: (len(transaction.keys), -transaction.arrived)).id
