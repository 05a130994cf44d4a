"""Places in a syntax tree, and replacing what is there by rebuilding only the path to the root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from adrs.proposers.offline.kinds import Kind

Scope = Mapping[str, Kind]  # the names that are certainly bound at a place, with their kinds


@dataclass(frozen=True, eq=False, slots=True)
class Spot:
    """One node with its place in the tree.

    `role` says what the value is for: `key` (it ranks), `condition`, `compared`, `index` (an index, a shape or an
    axis: must stay what it is), `object` (something is taken from it), `callee`, `iter`, or plain `value`.
    """

    node: cst.CSTNode
    parent: Spot | None
    field: str
    index: int | None
    scope: Scope
    role: str = "value"
    function: str = ""  # the module-level function around it, "" at module level
    depth: int = 0  # loops around it
    allowed: bool = True  # inside of an EVOLVE-BLOCK, if the source has any

    def replaced(self, node: cst.CSTNode) -> cst.Module:
        """The module with `node` at this place."""
        return self.spliced([node]) if self.index is not None else self._rebuilt(node)

    def spliced(self, nodes: Sequence[cst.CSTNode]) -> cst.Module:
        """The module with any number of nodes in place of this element of a sequence."""
        assert self.parent is not None and self.index is not None
        siblings = list(_child(self.parent.node, self.field))
        siblings[self.index : self.index + 1] = nodes
        return self.parent._rebuilt(self.parent.node.with_changes(**{self.field: siblings}), done=True)

    def siblings(self) -> Sequence[cst.CSTNode]:
        assert self.parent is not None
        return list(_child(self.parent.node, self.field))

    def _rebuilt(self, node: cst.CSTNode, done: bool = False) -> cst.Module:
        spot: Spot = self
        if not done:
            assert spot.parent is not None
            node, spot = spot.parent.node.with_changes(**{spot.field: node}), spot.parent
        while spot.parent is not None:
            parent = spot.parent.node
            value: object = node
            if spot.index is not None:
                value = list(_child(parent, spot.field))
                value[spot.index] = node
            node, spot = parent.with_changes(**{spot.field: value}), spot.parent
        assert isinstance(node, cst.Module)
        return node


def _child(node: cst.CSTNode, field: str) -> Sequence[cst.CSTNode]:
    children: Sequence[cst.CSTNode] = getattr(node, field)  # a field of the node's data class
    return children


_BINARY = {
    cst.BitOr: 4, cst.BitXor: 5, cst.BitAnd: 6, cst.LeftShift: 7, cst.RightShift: 7, cst.Add: 8, cst.Subtract: 8,
    cst.Multiply: 9, cst.Divide: 9, cst.FloorDivide: 9, cst.Modulo: 9, cst.MatrixMultiply: 9, cst.Power: 11,
}  # fmt: skip
_ATOM = 13


def precedence(node: cst.CSTNode) -> int:
    """How tightly an expression binds (Python Language Reference 6.17); 13 for atoms and parenthesised ones."""
    if isinstance(node, cst.BaseExpression) and node.lpar:
        return _ATOM
    match node:
        case cst.NamedExpr() | cst.Yield():
            return -1
        case cst.Lambda() | cst.IfExp() | cst.Tuple() | cst.GeneratorExp():
            return 0
        case cst.BooleanOperation(operator=cst.Or()):
            return 1
        case cst.BooleanOperation():
            return 2
        case cst.Comparison():
            return 3
        case cst.BinaryOperation():
            return _BINARY[type(node.operator)]
        case cst.UnaryOperation():
            return 2 if isinstance(node.operator, cst.Not) else 10
    return _ATOM


def _demand(spot: Spot) -> int:
    """The precedence that the place asks of an expression."""
    parent = spot.parent.node if spot.parent else None
    match parent:
        case cst.BinaryOperation(operator=cst.Power()):
            return _ATOM if spot.field == "left" else 10
        case cst.BinaryOperation():
            return precedence_of_operator(parent) + (spot.field == "right")
        case cst.BooleanOperation():
            return (1 if isinstance(parent.operator, cst.Or) else 2) + (spot.field == "right")
        case cst.UnaryOperation():
            return 2 if isinstance(parent.operator, cst.Not) else 10
        case cst.Comparison() | cst.ComparisonTarget():
            return 4
        case cst.IfExp():
            return 1
        case cst.Attribute() | cst.Subscript() | cst.Call() | cst.StarredElement():
            return _ATOM
    return 0


def precedence_of_operator(node: cst.BinaryOperation) -> int:
    return _BINARY[type(node.operator)]


def fit(expression: cst.BaseExpression, spot: Spot) -> cst.BaseExpression:
    """The expression with parentheses where the place needs them, and only there."""
    bare = _bare(expression)
    if precedence(bare) >= _demand(spot):
        return bare
    return bare if bare.lpar else bare.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _bare(expression: cst.BaseExpression) -> cst.BaseExpression:
    """Without its parentheses, unless they hold it together."""
    essential = isinstance(expression, cst.Tuple | cst.GeneratorExp | cst.Yield | cst.NamedExpr)
    if not expression.lpar or essential or "\n" in text_of(expression):
        return expression
    return expression.with_changes(lpar=[], rpar=[])


_EMPTY = cst.Module([])


def text_of(node: cst.CSTNode) -> str:
    return _EMPTY.code_for_node(node)


def operand(node: cst.BaseExpression) -> str:
    """The expression's text, safe as an operand of any arithmetic operator but a power."""
    text = text_of(node)
    return text if precedence(node) > 9 else f"({text})"
