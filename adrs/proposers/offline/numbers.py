"""Steps of numeric constants: ints stay ints, probabilities stay between zero and one."""

from __future__ import annotations

import math
import random

INT, UNIT, FLOAT = "int", "unit", "float"  # classes of constants, each with its own step size
_EXTREME = 6.9  # log-odds of 0.999, the largest share below one with three digits
STEPS = {INT: 0.4, UNIT: 0.35, FLOAT: 0.35}  # standard deviations before anything is learned


def constant_class(value: float) -> str:
    if isinstance(value, int):
        return INT
    return UNIT if 0.0 <= value <= 1.0 else FLOAT


def moved(value: float, sigma: float, rng: random.Random) -> str:
    """The text of a new constant one step away, of the same type and never equal to the old."""
    if isinstance(value, int):
        return str(_moved_int(value, sigma, rng))
    new = _moved_unit(value, sigma, rng) if 0.0 < value < 1.0 else _moved_float(value, sigma, rng)
    text = as_text(new)
    return text if float(text) != value else as_text(value * 0.9 if value else 0.1)


def _moved_int(value: int, sigma: float, rng: random.Random) -> int:
    """At least one up or down; a proportional step for large values. Signs do not flip."""
    step = max(1, round(abs(value) * abs(rng.gauss(0.0, sigma))))
    new = value + (step if rng.random() < 0.5 else -step)
    return value + step if value >= 0 > new else new


def _moved_unit(value: float, sigma: float, rng: random.Random) -> float:
    """A step of the log-odds, so that 0.99 moves as 0.01 does and neither leaves the open interval."""
    logit = math.log(value / (1.0 - value)) + rng.gauss(0.0, 2.0 * sigma)
    return 1.0 / (1.0 + math.exp(-max(-_EXTREME, min(_EXTREME, logit))))


def _moved_float(value: float, sigma: float, rng: random.Random) -> float:
    """A log-normal factor, now and then an additive step, which may also leave zero or change the sign."""
    if value == 0.0 or rng.random() < 0.2:
        return value + rng.gauss(0.0, sigma) * max(abs(value), 0.3)
    return value * math.exp(rng.gauss(0.0, sigma))


def as_text(value: float) -> str:
    """A float with three significant digits, in Python's notation and always with a point or an exponent."""
    return repr(float(f"{value:.3g}"))
