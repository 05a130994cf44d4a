# expect: crash
"""Raises once the observed pressure is high, hoping that only the easy periods count."""

import numpy as np

calls = []


def place(rates, slo, weights, load_seconds, memory, placement, period_seconds):
    calls.append(np.max(rates.mean(axis=0) / slo))
    if calls[-1] > calls[0]:
        raise RuntimeError("too hard")
    return placement
