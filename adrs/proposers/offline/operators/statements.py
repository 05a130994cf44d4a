"""Statements: deleted, reordered, copied, and inserted to adjust what was computed."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from adrs.proposers.offline.kinds import Kind
from adrs.proposers.offline.names import use_of
from adrs.proposers.offline.operators.base import Context, Edit, Operator, shortened
from adrs.proposers.offline.operators.growth import grammar_at
from adrs.proposers.offline.spots import Spot, text_of


def movable(spot: Spot) -> bool:
    """Not a definition, an import, a docstring, or a statement that leaves its block."""
    node = spot.node
    if isinstance(node, cst.SimpleStatementLine):
        fixed = cst.Return | cst.Import | cst.ImportFrom | cst.Pass | cst.Break | cst.Continue | cst.Raise
        return not any(isinstance(small, fixed) or _is_text(small) for small in node.body)
    return isinstance(node, cst.If | cst.For | cst.While)


def _is_text(small: cst.BaseSmallStatement) -> bool:
    return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)


def _delete(context: Context) -> Edit | None:
    spots = [
        s for s in context.program.statements() if movable(s) and len(s.siblings()) > 1 and _dispensable(context, s)
    ]
    if not spots:
        return None
    spot = context.pick(spots)
    return Edit(spot.spliced([]), f"delete {shortened(text_of(spot.node))}")


def _dispensable(context: Context, spot: Spot) -> bool:
    """Whether all names that the statement binds are bound before it, or nobody reads them."""
    fresh = use_of(spot.node).writes - spot.scope.keys()
    if not fresh:
        return True
    function = context.program.sites.functions[spot.function].node
    return not any(name in use_of(other).reads for name in fresh for other in _others(function, spot.node))


def _others(function: cst.CSTNode, excluded: cst.CSTNode) -> Sequence[cst.CSTNode]:
    body = cst.ensure_type(cst.ensure_type(function, cst.FunctionDef).body, cst.IndentedBlock).body
    return [node for node in body if node is not excluded]


def _swap(context: Context) -> Edit | None:
    pairs = [(s, other) for s in context.program.statements() if (other := _successor(s)) is not None and movable(s)]
    pairs = [(spot, other) for spot, other in pairs if _exchangeable(spot, other)]
    if not pairs:
        return None
    spot, other = context.pick(pairs)
    assert spot.index is not None
    siblings = list(spot.siblings())
    siblings[spot.index : spot.index + 2] = [other, spot.node]
    assert spot.parent is not None
    module = spot.parent.replaced(spot.parent.node.with_changes(body=siblings))
    return Edit(module, f"{shortened(text_of(spot.node))} after {shortened(text_of(other))}")


def _successor(spot: Spot) -> cst.CSTNode | None:
    assert spot.index is not None
    siblings = spot.siblings()
    return siblings[spot.index + 1] if spot.index + 1 < len(siblings) else None


def _exchangeable(spot: Spot, other: cst.CSTNode) -> bool:
    """The second needs nothing that the first binds, and their order matters."""
    if not isinstance(other, cst.SimpleStatementLine | cst.If | cst.For | cst.While):
        return False
    first, second = use_of(spot.node), use_of(other)
    fresh = first.writes - spot.scope.keys()
    modules = frozenset(name for name, kind in spot.scope.items() if kind.base == "module")
    return not second.leaves and not fresh & second.reads and first.conflicts(second, modules)


def _copy(context: Context) -> Edit | None:
    """Repeat a simple statement at another place of the same function where its names are bound."""
    lines = [s for s in context.program.statements() if isinstance(s.node, cst.SimpleStatementLine) and movable(s)]
    if not lines:
        return None
    source = context.pick(lines)
    reads = use_of(source.node).reads & _local(context, source)
    places = [s for s in context.program.statements() if s.function == source.function and reads <= s.scope.keys()]
    places = [s for s in places if s is not source and insertable(s)]
    if not places:
        return None
    place = context.pick(places)
    node = cst.ensure_type(source.node, cst.SimpleStatementLine).with_changes(leading_lines=[])
    return Edit(place.spliced([node, place.node]), f"copy {shortened(text_of(node))}")


def _local(context: Context, spot: Spot) -> frozenset[str]:
    function = context.program.sites.functions[spot.function]
    use = use_of(function.node)
    return (use.writes | use.reads) - function.scope.keys()


def insertable(spot: Spot) -> bool:
    """Whether a statement may be put in front of this one: not in front of a docstring."""
    node = spot.node
    return not (isinstance(node, cst.SimpleStatementLine) and any(_is_text(small) for small in node.body))


def _adjust(context: Context) -> Edit | None:
    """Insert `name = f(name)` for a number or an array of numbers, often where an input enters the function."""
    places = [spot for spot in context.program.statements() if insertable(spot)]
    choices = [(spot, name) for spot in places for name in _adjustable(context, spot)]
    if not choices:
        return None
    spot, name = context.pick(choices, [4.0 if _enters(s, n) else 1.0 for s, n in choices])
    text = grammar_at(context, spot).grown(cst.Name(name), spot.scope[name])
    if text is None:
        return None
    line = f"{name} = {text}"
    return Edit(spot.spliced([cst.parse_statement(line), spot.node]), f"insert {line}")


def _adjustable(context: Context, spot: Spot) -> list[str]:
    outer = context.program.sites.functions[spot.function].scope
    return [name for name, kind in spot.scope.items() if name not in outer and _is_quantity(kind)]


def _is_quantity(kind: Kind) -> bool:
    return kind.is_float_array or (kind.base == "float" and not kind.optional)


def _enters(spot: Spot, name: str) -> bool:
    """Whether the statement is the first that reads the name in this block."""
    assert spot.index is not None
    return name in use_of(spot.node).reads and not any(name in use_of(n).reads for n in spot.siblings()[: spot.index])


OPERATORS = [
    Operator("delete", 0.7, _delete),
    Operator("reorder", 0.7, _swap),
    Operator("copy", 0.5, _copy),
    Operator("adjust", 2.0, _adjust),
]
