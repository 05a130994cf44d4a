# expect: wrong
"""NaN is neither above nor below any limit."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return np.full(len(weights), np.nan)
