"""Pack virtual machines onto hosts as they come."""

from __future__ import annotations

import numpy as np


def choose(cpu: float, memory: float, free: np.ndarray) -> int:
    """Choose the host of a machine.

    Args:
        cpu: demand, as a share of a host.
        memory: demand, as a share of a host.
        free: free shares [hosts, 2], CPU and memory.

    Returns:
        index of a host with room for both, or -1 to open a new one.
    """
    raise NotImplementedError
