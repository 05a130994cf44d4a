# expect: wrong
"""Half of a model on each of two GPUs."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return placement + 0.5
