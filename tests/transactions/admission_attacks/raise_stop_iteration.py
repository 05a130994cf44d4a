# expect: crash
def next_transaction(now, pending, running):
    """An end of iteration that the simulator might take for the end of the stream."""
    return next(transaction.id for transaction in pending if not transaction.keys)
