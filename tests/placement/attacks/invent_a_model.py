# expect: wrong
"""One answer more than there are models."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return np.append(placement, 0)
