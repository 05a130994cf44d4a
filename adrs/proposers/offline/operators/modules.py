"""Insert definitions at module level."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from adrs.proposers.offline.spots import Spot


def before_function(
    module: cst.Module, name: str, nodes: Sequence[cst.BaseStatement | cst.SimpleStatementLine]
) -> cst.Module:
    """The module with statements in front of a module-level function, behind the comments that stand above it."""
    place = next(i for i, n in enumerate(module.body) if isinstance(n, cst.FunctionDef) and n.name.value == name)
    if not nodes:
        return module
    function = cst.ensure_type(module.body[place], cst.FunctionDef)
    above = function.leading_lines
    if (
        place > 0
        and _assigns(module.body[place - 1])
        and isinstance(nodes[0], cst.SimpleStatementLine)
        and not any(line.comment for line in above)
    ):
        above = ()
    blank = [cst.EmptyLine(indent=False)] * 2
    new = [nodes[0].with_changes(leading_lines=above), *nodes[1:], function.with_changes(leading_lines=blank)]
    return module.with_changes(body=[*module.body[:place], *new, *module.body[place + 1 :]])


def _assigns(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleStatementLine) and isinstance(node.body[0], cst.Assign | cst.AnnAssign)


def unused_name(wish: str, source: str) -> str:
    """The wish, or the wish with a number, whichever the source does not contain as a word."""
    taken = set(re.findall(r"\w+", source))
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name


def inner_block(function: Spot) -> cst.IndentedBlock | None:
    body = cst.ensure_type(function.node, cst.FunctionDef).body
    return body if isinstance(body, cst.IndentedBlock) else None


def at_top(function: Spot, nodes: Sequence[cst.BaseStatement]) -> cst.FunctionDef:
    """The function with statements at the top of its body, below its docstring."""
    node = cst.ensure_type(function.node, cst.FunctionDef)
    block = cst.ensure_type(node.body, cst.IndentedBlock)
    place = 1 if node.get_docstring() is not None else 0
    body = [*block.body[:place], *nodes, *block.body[place:]]
    return node.with_changes(body=block.with_changes(body=body))
