# expect: wrong
"""A list is no array."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return placement.tolist()
