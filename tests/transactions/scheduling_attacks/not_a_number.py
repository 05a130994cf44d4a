# expect: wrong
def schedule(transactions):
    return [float("nan")] * len(transactions)
