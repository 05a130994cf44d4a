"""First come, first served: what a connection pool does."""


def next_transaction(now, pending, running):
    return pending[0].id
