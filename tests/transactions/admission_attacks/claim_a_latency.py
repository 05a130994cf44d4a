# expect: wrong
def next_transaction(now, pending, running):
    return {"id": pending[0].id, "latency": 0.0, "gap_closed": 1.0}
