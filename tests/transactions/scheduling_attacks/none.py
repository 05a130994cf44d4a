# expect: wrong
def schedule(transactions):
    return None
