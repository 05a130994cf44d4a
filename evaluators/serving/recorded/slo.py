"""How strict the promises to recorded requests are: the key `slo` of the option `trace`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adrs.errors import InputError
from evaluators.serving.slo.promises import RELAXED, STRICT

KEY = "slo"
MULTIPLES = {"strict": STRICT, "relaxed": RELAXED}


def multiple_of(trace: Mapping[str, Any]) -> float:
    """What `promised` takes; strict by default. Raises InputError for any other word."""
    slo = trace.get(KEY, "strict")
    if slo not in tuple(MULTIPLES):
        raise InputError(f"options.trace.{KEY}: expected {' or '.join(MULTIPLES)}, got {slo!r}")
    return MULTIPLES[slo]
