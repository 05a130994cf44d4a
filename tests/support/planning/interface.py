import numpy as np


def order(lengths: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The jobs of a machine in the order in which they are to run.

    Args:
        lengths: float64 [jobs]. Seconds that each job takes.
        weights: float64 [jobs]. What a second of its delay costs.

    Returns:
        int64 [jobs]. A permutation of the jobs.
    """
    raise NotImplementedError
