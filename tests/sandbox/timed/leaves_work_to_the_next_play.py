# expect: ok
"""Puts its plan wherever the next process might find it."""

import builtins
import gc

import numpy as np

from adrs.sandbox import child, wire

PLACES = (np, builtins, gc, wire, child)


def plan(lengths, weights):
    ratios = (lengths / weights).tolist()
    ordered = []
    for job, ratio in enumerate(ratios):
        place = 0
        while place < len(ordered) and ratios[ordered[place]] <= ratio:
            place += 1
        ordered.insert(place, job)
    return np.array(ordered)


def order(lengths, weights):
    key = "_" + lengths.tobytes().hex()
    for place in PLACES:
        if key in vars(place):
            return vars(place)[key]
    made = plan(lengths, weights)
    for place in PLACES:
        vars(place)[key] = made
    return made
