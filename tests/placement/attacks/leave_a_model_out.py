# expect: wrong
"""One answer fewer than there are models."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return placement[:-1]
