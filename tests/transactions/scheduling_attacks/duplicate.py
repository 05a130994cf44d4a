# expect: wrong
"""As many ids as there are transactions, the shortest of them again and again."""


def schedule(transactions):
    return [min(transactions, key=lambda t: len(t.keys)).id] * len(transactions)
