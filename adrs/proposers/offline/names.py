"""Which names a statement reads and writes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst

from adrs.proposers.offline.spots import text_of


@dataclass(frozen=True)
class Use:
    """`writes` are bound anew, `changes` are objects changed in place (or possibly so, by a method call)."""

    reads: frozenset[str]
    writes: frozenset[str]
    changes: frozenset[str]
    leaves: bool  # contains return, break, continue or raise

    def conflicts(self, other: Use, constant: frozenset[str]) -> bool:
        """Whether the order of the two statements can matter, when the names in `constant` are never changed."""
        mine, theirs = self.writes | self.changes - constant, other.writes | other.changes - constant
        return bool(mine & (other.reads | theirs) or theirs & self.reads)


@lru_cache(maxsize=2048)
def use_of(node: cst.CSTNode) -> Use:
    """The names that a statement uses, those inside of nested blocks included."""
    tree = ast.parse(text_of(node).strip("\n"))
    reads: set[str] = set()
    writes: set[str] = set()
    changes: set[str] = set()
    leaves = False
    for part in ast.walk(tree):
        if isinstance(part, ast.Name):
            (reads if isinstance(part.ctx, ast.Load) else writes).add(part.id)
        elif isinstance(part, ast.FunctionDef):
            writes.add(part.name)
        elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            reads.add(part.target.id)
        elif isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
            changes.add(_base(part))
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            changes.add(_base(part.func))
        leaves = leaves or isinstance(part, ast.Return | ast.Break | ast.Continue | ast.Raise)
    return Use(frozenset(reads), frozenset(writes), frozenset(changes), leaves)


def _base(node: ast.expr) -> str:
    """`a` of `a.b[c].d`, "" if it is not a name."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
