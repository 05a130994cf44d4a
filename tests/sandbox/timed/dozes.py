# expect: denied
"""Sleeps, which is no CPU time, and needs no measuring."""

import time

import numpy as np


def order(lengths, weights):
    time.sleep(0.5)
    return np.argsort(lengths / weights, kind="stable")
