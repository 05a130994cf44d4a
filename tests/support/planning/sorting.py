"""Smith's rule by sorting: the same plan as `quadratic`, sooner."""

import numpy as np


def order(lengths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    ratios = (lengths / weights).tolist()
    return np.array(sorted(range(len(ratios)), key=ratios.__getitem__))
