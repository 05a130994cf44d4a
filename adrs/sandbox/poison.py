"""Makes a policy that reads memory it never wrote fail the same way every time, instead of scoring by chance.

`np.empty` returns what lay in memory. A policy that forgets to fill it could score well here, and differently in the
next run or in production.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def poison_uninitialised() -> None:
    """Have `np.empty` and `np.empty_like` fill with NaN, the least integer, or True."""
    vars(np).update(empty=_poisoned(np.empty), empty_like=_poisoned(np.empty_like))


def _poisoned(make: Callable[..., Any]) -> Any:
    @functools.wraps(make)
    def poisoned(*arguments: Any, **options: Any) -> Any:
        array = make(*arguments, **options)
        if array.dtype.kind in "fc":
            array.fill(np.nan)
        elif array.dtype.kind in "iu":
            array.fill(np.iinfo(array.dtype).min if array.dtype.kind == "i" else np.iinfo(array.dtype).max)
        elif array.dtype.kind == "b":
            array.fill(True)
        return array

    return poisoned
