"""First come, first served."""

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
    return int(np.argmax(now - arrival))
