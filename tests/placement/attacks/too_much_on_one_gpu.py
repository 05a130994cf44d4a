# expect: wrong
"""Everything on the GPU with most memory: the weights do not fit."""

import numpy as np


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    return np.full(len(weights), int(np.argmax(memory)))
