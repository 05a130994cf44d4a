"""What a policy defines. This text goes into prompts and is the only code of the problem that a policy can see."""

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
    """Index of the waiting job that a free machine starts.

    Args:
        now: The time, in seconds.
        loaded: The family that the machine is set up for; -1 if it has not run yet.
        setup: Seconds that a set-up takes. A job of the family `loaded` needs none.
        family: int64 [waiting]. The family of each waiting job; all four arrays are in order of arrival.
        work: float64 [waiting]. Its seconds of work, above 0.
        weight: float64 [waiting]. Its weight, above 0.
        arrival: float64 [waiting]. When it arrived.
    """
    raise NotImplementedError
