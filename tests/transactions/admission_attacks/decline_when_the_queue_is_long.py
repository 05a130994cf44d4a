# expect: wrong
def next_transaction(now, pending, running):
    """Hope that what is never started is never counted."""
    return -1 if len(pending) > 4 or now > 100 else pending[0].id
