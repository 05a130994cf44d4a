# expect: ok
"""Works at import, where it knows no workload: that is not counted, and makes no call shorter."""

import numpy as np

TABLE = [sum(range(1000)) for _ in range(2000)]


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
    return plan(lengths, weights)
