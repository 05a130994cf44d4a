# expect: wrong
"""An unsigned number that becomes -1 when it is made signed."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return np.full(len(weights), 2**64 - 1, dtype=np.uint64)
