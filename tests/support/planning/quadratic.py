"""Smith's rule by insertion into a list: right, and slow."""

import numpy as np


def order(lengths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    ratios = (lengths / weights).tolist()
    ordered: list[int] = []
    for job, ratio in enumerate(ratios):
        place = 0
        while place < len(ordered) and ratios[ordered[place]] <= ratio:
            place += 1
        ordered.insert(place, job)
    return np.array(ordered)
