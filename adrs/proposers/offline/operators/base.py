"""What an operator is: it picks a place in a program and says how to change it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import libcst as cst

from adrs.proposers.offline.program import Program
from adrs.proposers.offline.spots import Spot, fit, text_of

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """All that an operator may look at."""

    program: Program
    rng: random.Random
    steps: Mapping[str, float]  # class of constants -> standard deviation of its steps
    mates: Sequence[str] = ()  # sources of other members of the archive

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the items (not empty), by weight."""
        return self.rng.choices(items, weights)[0]


@dataclass(frozen=True)
class Edit:
    """A changed module and a short description for people, e.g. `0.5 -> 0.62`."""

    module: cst.Module
    note: str
    step: str = ""  # class of the constant, if its step size is to learn from the outcome


@dataclass(frozen=True)
class Operator:
    """`apply` returns None when the program offers no place; it may also fail with `cst.ParserSyntaxError`."""

    name: str
    prior: float  # weight before anything is known
    apply: Callable[[Context], Edit | None]


def substitute(spot: Spot, new: cst.BaseExpression) -> Edit:
    """Put another expression at a spot, in parentheses where it needs them."""
    fitted = fit(new, spot)
    return Edit(spot.replaced(fitted), f"{shortened(text_of(spot.node))} -> {shortened(text_of(fitted))}")


def shortened(text: str, limit: int = 60) -> str:
    """One line for a note."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
