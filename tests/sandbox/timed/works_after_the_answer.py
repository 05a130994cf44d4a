# expect: ok
"""Works while no answer is due, ten times as much as in its calls: the referee must not see the calls alone."""

import numpy as np

from adrs.sandbox import wire

original = wire.Channel.send


def send(self, kind, value):
    original(self, kind, value)
    if kind == wire.ANSWER and value is not None:
        for _ in range(20):  # after the first answer; after the last one the process is ended
            plan(*last)


wire.Channel.send = send


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
    global last
    last = lengths, weights
    return plan(lengths, weights)
