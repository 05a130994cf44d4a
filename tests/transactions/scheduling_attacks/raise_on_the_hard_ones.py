# expect: crash
"""Gives up where payments would hold up each other, in the hope that the other batches make its mean."""


def schedule(transactions):
    if any(t.kind == "payment" for t in transactions):
        raise RuntimeError("too hard")
    return [t.id for t in transactions]
