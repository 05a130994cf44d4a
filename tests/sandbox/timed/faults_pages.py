# expect: ok
"""Has the kernel work for it: fresh pages, ten times as long as a plan takes."""

import numpy as np


def order(lengths, weights):
    for _ in range(200):  # more than ten times as long as a plan takes
        np.ones(1 << 20)
    return np.argsort(lengths / weights, kind="stable")
