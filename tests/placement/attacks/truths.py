# expect: wrong
"""Bools count as 0 and 1 where nobody looks."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return placement == 0
