"""Control flow: guards, conditions, branches, early ends and repeat counts of loops."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from adrs.proposers.offline.kinds import FLOAT
from adrs.proposers.offline.names import use_of
from adrs.proposers.offline.operators.base import Context, Edit, Operator, shortened, substitute
from adrs.proposers.offline.operators.growth import grammar_at
from adrs.proposers.offline.operators.statements import insertable, movable
from adrs.proposers.offline.roles import called_name
from adrs.proposers.offline.spots import Spot, operand, text_of


def _comparison(context: Context, spot: Spot) -> str | None:
    """A random test of the numbers in scope."""
    grammar = grammar_at(context, spot)
    left, right = grammar.fresh(FLOAT), grammar.terminal(FLOAT)
    if left is None or right is None or left == right:
        return None
    bound = context.pick([right, f"{grammar.constant()} * {right}", grammar.threshold()])
    return f"{left} {context.pick(['<', '>'])} {bound}"


def _guard(context: Context) -> Edit | None:
    """Run a statement only under a condition; it binds no name that is not bound before."""
    spots = [s for s in context.program.statements() if movable(s) and not use_of(s.node).writes - s.scope.keys()]
    if not spots:
        return None
    spot = context.pick(spots)
    test = _comparison(context, spot)
    if test is None:
        return None
    guard = cst.ensure_type(cst.parse_statement(f"if {test}:\n    pass\n"), cst.If)
    assert isinstance(spot.node, cst.SimpleStatementLine | cst.If | cst.For | cst.While)
    inner = spot.node.with_changes(leading_lines=[])
    wrapped = guard.with_changes(body=cst.IndentedBlock([inner]), leading_lines=spot.node.leading_lines)
    return Edit(spot.replaced(wrapped), f"guard {shortened(text_of(inner))} by {test}")


def _condition(context: Context) -> Edit | None:
    """Weaken, strengthen, negate or replace a condition.

    A while loop's is only strengthened, so that it ends, and so is a plain name, which may guard against emptiness.
    """
    spots = [s for s in context.program.expressions() if s.role == "condition" and _is_whole(s)]
    if not spots:
        return None
    spot = context.pick(spots)
    test = _comparison(context, spot)
    if test is None:
        return None
    assert isinstance(spot.node, cst.BaseExpression) and spot.parent is not None
    own = text_of(spot.node)
    bound = own if not isinstance(spot.node, cst.BooleanOperation | cst.IfExp) else f"({own})"
    forms = [f"{bound} and {test}"]
    if not isinstance(spot.parent.node, cst.While) and not isinstance(spot.node, cst.Name):
        forms += [f"{bound} or {test}", test, f"not ({own})"]
    return substitute(spot, cst.parse_expression(context.pick(forms)))


def _is_whole(spot: Spot) -> bool:
    """Whether it is all of a test; those of `is None` are left alone, for what they guard would fail."""
    if "None" in text_of(spot.node):
        return False
    return spot.parent is not None and isinstance(spot.parent.node, cst.If | cst.While | cst.IfExp | cst.CompIf)


def _branch(context: Context) -> Edit | None:
    """Keep one branch of an `if` and drop the other with the test."""
    options = [(s, body) for s in context.program.statements() for body in _branches(s)]
    if not options:
        return None
    spot, body = context.pick(options)
    test = text_of(cst.ensure_type(spot.node, cst.If).test)
    return Edit(spot.spliced(body), f"always {shortened(text_of(body[0]))} whatever {shortened(test)}")


def _branches(spot: Spot) -> list[Sequence[cst.BaseStatement]]:
    if not isinstance(spot.node, cst.If):
        return []
    blocks = [spot.node.body]
    if isinstance(spot.node.orelse, cst.Else):
        blocks.append(spot.node.orelse.body)
    bodies = [block.body for block in blocks if isinstance(block, cst.IndentedBlock)]
    alone = len(spot.siblings()) == 1
    return [body for body in bodies if _harmless(spot, body) and (body or not alone)]


def _harmless(spot: Spot, body: Sequence[cst.BaseStatement]) -> bool:
    """A branch that leaves the block may only be kept where nothing follows it."""
    last = spot.index is not None and spot.index + 1 == len(spot.siblings())
    return last or not any(use_of(node).leaves for node in body)


def _leave(context: Context) -> Edit | None:
    """Insert `if ...: break` or `continue` into a loop; `continue` never into a while loop, which might not end."""
    spots = [s for s in context.program.statements() if insertable(s) and _loop(s) is not None]
    if not spots:
        return None
    spot = context.pick(spots)
    test = _comparison(context, spot)
    if test is None:
        return None
    ways = ["break", "continue"] if isinstance(_loop(spot), cst.For) else ["break"]
    way = context.pick(ways)
    guard = cst.parse_statement(f"if {test}:\n    {way}\n")
    return Edit(spot.spliced([guard, spot.node]), f"{way} if {test}")


def _loop(spot: Spot) -> cst.CSTNode | None:
    """The innermost loop around a statement, within its function."""
    parent = spot.parent
    while parent is not None and not isinstance(parent.node, cst.FunctionDef):
        if isinstance(parent.node, cst.For | cst.While):
            return parent.node
        parent = parent.parent
    return None


def _repeat(context: Context) -> Edit | None:
    """Change how often a counted loop runs. Fewer times is always safe, more only if its counter is not used."""
    spots = [s for s in context.program.expressions() if s.role == "iter" and _is_count(s.node)]
    if not spots:
        return None
    spot = context.pick(spots)
    call = cst.ensure_type(spot.node, cst.Call)
    count = operand(call.args[0].value)
    forms = [f"range({count} // 2)", f"range({count} - 1)"]
    if _ignores_counter(spot):
        forms += [f"range({count} + 1)", f"range({count} * 2)"]
    return substitute(spot, cst.parse_expression(context.pick(forms)))


def _is_count(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and called_name(node) == "range" and len(node.args) == 1


def _ignores_counter(spot: Spot) -> bool:
    loop = spot.parent.node if spot.parent is not None else None
    return isinstance(loop, cst.For) and text_of(loop.target) not in use_of(loop).reads


OPERATORS = [
    Operator("guard", 1.0, _guard),
    Operator("condition", 1.0, _condition),
    Operator("branch", 0.5, _branch),
    Operator("leave", 0.3, _leave),
    Operator("repeat", 0.2, _repeat),
]
