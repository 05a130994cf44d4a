# expect: wrong
def schedule(transactions):
    return [10**30, *(t.id for t in transactions[1:])]
