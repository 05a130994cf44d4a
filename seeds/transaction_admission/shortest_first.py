"""Fewest operations first (shortest processing time; Smith, "Various optimizers for single-stage production", 1956)."""


def next_transaction(now, pending, running):
    return min(pending, key=lambda transaction: len(transaction.keys)).id
