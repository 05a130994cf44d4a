# expect: wrong
"""GPU -1: in numpy the last one, here none."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    placement[rates.mean(axis=0).argmax()] = -1
    return placement
