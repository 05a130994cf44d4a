# expect: ok
def next_transaction(now, pending, running):
    """In order of arrival, after making everything look short, early and done."""
    first = pending[0].id
    for transaction in [*pending, *running]:
        transaction.keys.clear()
        transaction.writes.clear()
        transaction.arrived = now
        transaction.aborts = 0
    for transaction in running:
        transaction.position = 10**9
        transaction.waiting = False
    pending.clear()
    running.clear()
    return first
