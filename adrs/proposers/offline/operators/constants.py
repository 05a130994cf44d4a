"""Numeric constants: steps whose size the search adapts."""

from __future__ import annotations

import libcst as cst

from adrs.proposers.offline.numbers import STEPS, constant_class, moved
from adrs.proposers.offline.operators.base import Context, Edit, Operator
from adrs.proposers.offline.spots import Spot, fit

_TINY = 1e-5  # below, a float is a guard against division by zero and rarely worth a step
_JUMP = 0.15  # share of steps that are four times as long, to leave a local optimum


def _constant(context: Context) -> Edit | None:
    spots = [spot for spot in context.program.expressions() if isinstance(spot.node, cst.Integer | cst.Float)]
    if not spots:
        return None
    spot = context.pick(spots, [_interest(spot) for spot in spots])
    assert isinstance(spot.node, cst.Integer | cst.Float)
    old = spot.node.evaluated_value
    kind = constant_class(old)
    sigma = context.steps.get(kind, STEPS[kind]) * (4.0 if context.rng.random() < _JUMP else 1.0)
    text = moved(old, sigma, context.rng)
    new = cst.parse_expression(text)
    return Edit(spot.replaced(fit(new, spot)), f"{spot.node.value} -> {text}", kind)


def _interest(spot: Spot) -> float:
    if isinstance(spot.node, cst.Float):
        return 0.2 if 0 < abs(spot.node.evaluated_value) < _TINY else 3.0
    return 0.15 if spot.role == "index" or _is_negated(spot) else 1.0


def _is_negated(spot: Spot) -> bool:
    """Negative whole numbers are mostly marks for `none` or `last`."""
    return spot.parent is not None and isinstance(spot.parent.node, cst.UnaryOperation)


OPERATORS = [Operator("constant", 3.0, _constant)]
