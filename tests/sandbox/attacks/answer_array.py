# expect: wrong
"""An array where a number is due."""

import numpy as np


def choose(queue, history):
    return np.zeros(1, dtype=np.int64)
