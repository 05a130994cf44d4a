# expect: ok
"""Removes transactions from the list that it was handed, then answers with all of them in order of arrival."""


def schedule(transactions):
    order = [t.id for t in transactions]
    del transactions[1:]
    transactions[0].id = 7
    return order
