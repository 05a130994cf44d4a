"""The interface of model placement."""

import numpy as np


def place(
    rates: np.ndarray,
    slo: np.ndarray,
    weights: np.ndarray,
    load_seconds: np.ndarray,
    memory: np.ndarray,
    placement: np.ndarray,
    period_seconds: float,
) -> np.ndarray:
    """Decide which GPU each model lives on for the next period.

    The cluster's scheduler calls this at the start of every period, in order of time and in one process: module-level
    variables keep their values between the calls of one cluster, so a policy may remember what it saw.

    Args:
        rates: float64 [stretches, models]. Requests per second of each model in the equal stretches of the period that
            has just ended, oldest first. The next period's are not known.
        slo: float64 [models]. Seconds in which a request of the model is to be served. Its demand is rate / slo.
        weights: float64 [models]. GB that the model's weights take on its GPU.
        load_seconds: float64 [models]. Seconds that it takes to load the weights into a GPU. A model that the answer
            moves leaves its old GPU at once and serves again when it is loaded.
        memory: float64 [gpus]. GB of each GPU for weights and KV cache together.
        placement: int64 [models]. The GPU of each model now.
        period_seconds: Seconds until the next call.

    Returns:
        int64 [models], the GPU of each model. On every GPU the weights of its models must leave 4 GB or more of the
        memory free. To return `placement` is always allowed.
    """
    raise NotImplementedError
