"""The options `trace` and `deployment`: whether they are there, and checks of their values.

Each check raises one line that names the option, what was expected and what was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from adrs.errors import InputError

Recorded = TypeVar("Recorded")


def recorded_by(
    make: Callable[[Mapping[str, Any], Mapping[str, Any]], Recorded],
    trace: Mapping[str, Any] | None,
    deployment: Mapping[str, Any] | None,
) -> Recorded | None:
    """What `make` makes of both options; None if neither is given: then the workloads are generated.

    Raises:
        InputError: a deployment without a trace, and whatever `make` refuses.
    """
    if trace is None and deployment is not None:
        raise InputError("options.deployment: generated streams have theirs; give a trace, too")
    return None if trace is None else make(trace, {} if deployment is None else deployment)


def check_keys(where: str, given: object, expected: Sequence[str]) -> None:
    """Raises InputError unless it is a mapping with none but these keys."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: expected the keys {', '.join(expected)}, got {given!r}")
    unknown = sorted(str(name) for name in given if name not in expected)
    if unknown:
        raise InputError(f"{where}.{unknown[0]}: unknown key; expected {', '.join(expected)}")


def whole(where: str, value: object, least: int, most: int | None = None) -> int:
    """The number. Raises InputError if it is no whole one, or outside of the range."""
    if type(value) is not int or value < least or (most is not None and value > most):
        span = f"from {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{where}: expected a whole number {span}, got {value!r}")
    return value


def text(where: str, value: object) -> str:
    """The text. Raises InputError if it is none."""
    if not isinstance(value, str):
        raise InputError(f"{where}: expected a text, got {value!r}")
    return value
