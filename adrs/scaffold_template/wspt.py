"""WSPT: the largest ratio of weight to work first.

W. E. Smith, "Various optimizers for single-stage production", Naval Research Logistics Quarterly 3 (1956): optimal for
one machine and jobs that are all there, without set-ups.
"""

import numpy as np


def choose(
    now: float,
    loaded: int,
    setup: float,
    family: np.ndarray,
    work: np.ndarray,
    weight: np.ndarray,
    arrival: np.ndarray,
) -> int:
    return int(np.argmax(weight / work))
