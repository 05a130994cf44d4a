# expect: wrong
"""A GPU beyond the last, which would be empty."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    placement[0] = len(memory)
    return placement
