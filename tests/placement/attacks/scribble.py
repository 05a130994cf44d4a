# expect: ok
"""Writes over all that it is handed, weights and demand above all, and answers what it was told: must score 0."""


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    answer = placement.copy()
    for array in (rates, slo, weights, load_seconds):
        array[:] = 0.0
    memory[:] = 1e9
    placement[:] = 0
    return answer
