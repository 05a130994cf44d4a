# expect: memory
"""One enormous array, touched."""

import numpy as np


def choose(queue, history):
    return int(np.ones((1 << 18, 1 << 14)).sum())
