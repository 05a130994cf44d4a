# expect: wrong
def schedule(transactions):
    return [str(t.id) for t in transactions]
