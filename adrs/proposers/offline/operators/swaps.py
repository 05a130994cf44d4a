"""Comparisons, arithmetic and boolean operators, and functions, swapped for their relatives."""

from __future__ import annotations

import libcst as cst

from adrs.proposers.offline.operators.base import Context, Edit, Operator, shortened, substitute
from adrs.proposers.offline.roles import called_name
from adrs.proposers.offline.spots import Spot, operand, text_of

_COMPARISONS: dict[type[cst.BaseCompOp], tuple[type[cst.BaseCompOp], ...]] = {
    cst.LessThan: (cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual),
    cst.LessThanEqual: (cst.LessThan, cst.GreaterThan, cst.GreaterThanEqual),
    cst.GreaterThan: (cst.GreaterThanEqual, cst.LessThan, cst.LessThanEqual),
    cst.GreaterThanEqual: (cst.GreaterThan, cst.LessThan, cst.LessThanEqual),
    cst.Equal: (cst.NotEqual, cst.LessThanEqual, cst.GreaterThanEqual),
    cst.NotEqual: (cst.Equal,),
}
_ARITHMETIC: dict[type[cst.BaseBinaryOp], tuple[type[cst.BaseBinaryOp], ...]] = {
    cst.Add: (cst.Subtract, cst.Multiply),
    cst.Subtract: (cst.Add, cst.Multiply),
    cst.Multiply: (cst.Add, cst.Divide),
    cst.Divide: (cst.Multiply, cst.Subtract),
    cst.FloorDivide: (cst.Modulo, cst.Subtract),
    cst.Modulo: (cst.FloorDivide,),
}
_AUGMENTED: dict[type[cst.BaseAugOp], tuple[type[cst.BaseAugOp], ...]] = {
    cst.AddAssign: (cst.SubtractAssign,),
    cst.SubtractAssign: (cst.AddAssign,),
    cst.MultiplyAssign: (cst.DivideAssign,),
    cst.DivideAssign: (cst.MultiplyAssign,),
}
_FUNCTIONS = {
    "min": ("max",), "max": ("min", "sum"), "sum": ("max", "min"), "argmin": ("argmax",), "argmax": ("argmin",),
    "minimum": ("maximum",), "maximum": ("minimum", "add"), "mean": ("max", "sum"), "median": ("mean",),
    "ceil": ("floor",), "floor": ("ceil",), "sqrt": ("log1p",), "log1p": ("sqrt",), "all": ("any",), "any": ("all",),
    "popleft": ("pop",), "nlargest": ("nsmallest",), "nsmallest": ("nlargest",),
}  # fmt: skip


def _comparison(context: Context) -> Edit | None:
    spots = [spot for spot in context.program.expressions() if isinstance(spot.node, cst.Comparison)]
    spots = [spot for spot in spots if _first_operator(spot) in _COMPARISONS]
    if not spots:
        return None
    spot = context.pick(spots)
    node = cst.ensure_type(spot.node, cst.Comparison)
    target = node.comparisons[0]
    symmetric = isinstance(target.operator, cst.Equal | cst.NotEqual)
    if context.rng.random() < 0.25 and len(node.comparisons) == 1 and not symmetric:
        swapped = f"{operand(target.comparator)} {_sign(target.operator)} {operand(node.left)}"
        return substitute(spot, cst.parse_expression(swapped))
    operator = context.pick(_COMPARISONS[type(target.operator)])()
    first = target.with_changes(operator=operator)
    return substitute(spot, node.with_changes(comparisons=[first, *node.comparisons[1:]]))


def _first_operator(spot: Spot) -> type[cst.BaseCompOp]:
    return type(cst.ensure_type(spot.node, cst.Comparison).comparisons[0].operator)


def _sign(operator: cst.BaseCompOp) -> str:
    return text_of(operator).strip()


def _arithmetic(context: Context) -> Edit | None:
    kinds = (cst.BinaryOperation, cst.BooleanOperation)
    spots = [spot for spot in context.program.expressions() if isinstance(spot.node, kinds) and spot.role != "index"]
    spots = [spot for spot in spots if isinstance(spot.node, cst.BooleanOperation) or _is_numeric(context, spot)]
    augmented = [spot for spot in context.program.sites.small if spot.allowed and _is_augmented(spot.node)]
    if not spots and not augmented:
        return None
    spot = context.pick([*spots, *augmented])
    node = spot.node
    if isinstance(node, cst.AugAssign):
        changed = node.with_changes(operator=context.pick(_AUGMENTED[type(node.operator)])())
        return Edit(spot.replaced(changed), f"{shortened(text_of(node))} -> {shortened(text_of(changed))}")
    if isinstance(node, cst.BooleanOperation):
        return _boolean(context, spot, node)
    assert isinstance(node, cst.BinaryOperation)
    return _binary(context, spot, node)


def _binary(context: Context, spot: Spot, node: cst.BinaryOperation) -> Edit:
    if isinstance(node.operator, cst.Subtract | cst.Divide) and context.rng.random() < 0.25:
        sign = text_of(node.operator).strip()
        return substitute(spot, cst.parse_expression(f"{operand(node.right)} {sign} {operand(node.left)}"))
    sign = text_of(context.pick(_ARITHMETIC[type(node.operator)])()).strip()
    return substitute(spot, cst.parse_expression(f"{operand(node.left)} {sign} {operand(node.right)}"))


def _boolean(context: Context, spot: Spot, node: cst.BooleanOperation) -> Edit:
    if context.rng.random() < 0.5:
        return substitute(spot, context.pick([node.left, node.right]))
    other = "or" if isinstance(node.operator, cst.And) else "and"
    left, right = text_of(node.left), text_of(node.right)
    text = f"({left}) {other} ({right})" if "and" in left + right or "or" in left + right else f"{left} {other} {right}"
    return substitute(spot, cst.parse_expression(text))


def _is_numeric(context: Context, spot: Spot) -> bool:
    node = cst.ensure_type(spot.node, cst.BinaryOperation)
    kind = context.program.kind(spot)
    return type(node.operator) in _ARITHMETIC and kind.base in ("int", "float", "array")


def _is_augmented(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.AugAssign) and type(node.operator) in _AUGMENTED


def _function(context: Context) -> Edit | None:
    spots = [spot for spot in context.program.expressions() if _swappable(spot.node)]
    if not spots:
        return None
    spot = context.pick(spots, [3.0 if spot.role != "index" else 1.0 for spot in spots])
    call = cst.ensure_type(spot.node, cst.Call)
    name = cst.Name(context.pick(_FUNCTIONS[called_name(call)]))
    func = call.func.with_changes(attr=name) if isinstance(call.func, cst.Attribute) else name
    return substitute(spot, call.with_changes(func=func))


def _swappable(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.Call) or called_name(node) not in _FUNCTIONS:
        return False
    return isinstance(node.func, cst.Attribute) or called_name(node) in ("min", "max", "sum", "all", "any")


OPERATORS = [
    Operator("comparison", 1.0, _comparison),
    Operator("arithmetic", 1.0, _arithmetic),
    Operator("function", 1.0, _function),
]
