"""Place replicas of experts on devices."""

import numpy as np


def place(weight: np.ndarray, num_replicas: int, num_gpus: int) -> np.ndarray:
    """Replicate experts and pack the replicas.

    Args:
        weight: observed load [layers, experts].

    Returns:
        logical expert of each slot [layers, num_replicas]; slots are dealt to devices in equal runs.
    """
    raise NotImplementedError
