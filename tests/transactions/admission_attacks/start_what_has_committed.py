# expect: wrong
seen = []


def next_transaction(now, pending, running):
    """Repeat a cheap one for ever."""
    active = {transaction.id for transaction in pending} | {transaction.id for transaction in running}
    gone = [each for each in seen if each not in active]
    if gone:
        return gone[0]
    seen.append(pending[0].id)
    return pending[0].id
