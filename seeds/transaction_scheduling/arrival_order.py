"""First come, first served: what databases do without a scheduler."""


def schedule(transactions):
    return [t.id for t in transactions]
