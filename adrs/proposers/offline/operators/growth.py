"""Genetic programming of expressions: grow, shrink and replace what ranks, decides and is computed."""

from __future__ import annotations

import libcst as cst

from adrs.proposers.offline.grammar import Grammar
from adrs.proposers.offline.kinds import FLOAT, Kind
from adrs.proposers.offline.operators.base import Context, Edit, Operator, substitute
from adrs.proposers.offline.roles import called_name
from adrs.proposers.offline.spots import Spot, text_of

_INTEREST = {"key": 6.0, "compared": 2.0, "value": 1.5}
_NUMERIC = (
    cst.BinaryOperation,
    cst.UnaryOperation,
    cst.Subscript,
    cst.Attribute,
    cst.Name,
    cst.Call,
    cst.Float,
    cst.IfExp,
)


def numeric_kind(context: Context, spot: Spot) -> Kind | None:
    """The kind that a numeric expression here must have: an int may become a float only where it ranks."""
    if spot.role not in _INTEREST or not isinstance(spot.node, _NUMERIC):
        return None
    kind = context.program.kind(spot)
    if spot.role in ("key", "compared"):
        if kind.is_scalar:
            return FLOAT
        if spot.role == "key" and isinstance(spot.node, cst.BinaryOperation) and kind.base == "unknown":
            return FLOAT
        return kind if kind.is_array and kind.element.base in ("int", "float") else None
    return kind if kind.is_float_array or kind == FLOAT else None


def numeric_spots(context: Context) -> list[tuple[Spot, Kind]]:
    kinds = [(spot, numeric_kind(context, spot)) for spot in context.program.expressions()]
    return [(spot, kind) for spot, kind in kinds if kind is not None]


def pick_numeric(context: Context) -> tuple[Spot, Kind] | None:
    spots = numeric_spots(context)
    if not spots:
        return None
    return context.pick(spots, [_INTEREST[spot.role] * (1.0 + 0.5 * spot.depth) for spot, _ in spots])


def _grow(context: Context) -> Edit | None:
    chosen = pick_numeric(context)
    if chosen is None:
        return None
    spot, kind = chosen
    assert isinstance(spot.node, cst.BaseExpression)
    text = grammar_at(context, spot).grown(spot.node, kind, ranks=_is_whole_key(spot))
    return substitute(spot, cst.parse_expression(text)) if text is not None else None


def _is_whole_key(spot: Spot) -> bool:
    """Whether nothing but the order of the values matters: a monotone function of them would change nothing."""
    wrappers = (cst.Arg, cst.Lambda, cst.UnaryOperation)
    return spot.role == "key" and spot.parent is not None and isinstance(spot.parent.node, wrappers)


def _replace(context: Context) -> Edit | None:
    chosen = pick_numeric(context)
    if chosen is None:
        return None
    spot, kind = chosen
    text = grammar_at(context, spot).fresh(kind, avoid=text_of(spot.node))
    return substitute(spot, cst.parse_expression(text)) if text is not None else None


def _shrink(context: Context) -> Edit | None:
    """Put one operand in place of the whole, where it is of the same kind."""
    options: list[tuple[Spot, cst.BaseExpression]] = []
    for spot, kind in numeric_spots(context):
        for part in _parts(spot.node):
            inner = context.program.inference.kind(part, spot.scope)
            same = inner.is_scalar if kind.is_scalar else inner.is_array and inner.shape == kind.shape
            if same:
                options.append((spot, part))
    if not options:
        return None
    spot, part = context.pick(options)
    return substitute(spot, part)


def _parts(node: cst.CSTNode) -> list[cst.BaseExpression]:
    match node:
        case cst.BinaryOperation():
            return [node.left, node.right]
        case cst.UnaryOperation():
            return [node.expression]
        case cst.IfExp():
            return [node.body, node.orelse]
        case cst.Call() if called_name(node) in (
            "max",
            "min",
            "maximum",
            "minimum",
            "abs",
            "sqrt",
            "log1p",
            "where",
            "clip",
        ):
            return [argument.value for argument in node.args]
    return []


def grammar_at(context: Context, spot: Spot) -> Grammar:
    return Grammar(spot.scope, context.program.declared, context.rng)


OPERATORS = [
    Operator("grow", 3.0, _grow),
    Operator("replace", 1.5, _replace),
    Operator("shrink", 1.0, _shrink),
]
