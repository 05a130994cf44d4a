# expect: wrong
"""Two placements at once, the better one to be picked."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return np.stack([placement, placement])
