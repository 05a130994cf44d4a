# expect: wrong
"""The score instead of a placement."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return {"gap_closed": 1.0, "worst_pressure": 0.0}
