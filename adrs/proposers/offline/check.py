"""Static checks that keep hopeless programs from being evaluated."""

from __future__ import annotations

import ast
import builtins
import symtable
from functools import lru_cache

from adrs.evaluation.interface import Interface
from adrs.proposers.regions import Regions

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


def objection(source: str, parent: str, interface: Interface, source_kb: int) -> str:
    """Why a child must not be proposed, or "" when nothing speaks against it."""
    if len(source.encode()) > source_kb * 1024:
        return "too large"
    try:
        tree = ast.parse(source)
        compile(tree, "policy", "exec")
        table = symtable.symtable(source, "policy", "exec")
    except SyntaxError as error:
        return f"does not parse: {error.msg}"
    regions = Regions.of(parent)
    if regions is not None and not regions.same_outside(source):
        return "changes text outside of the EVOLVE-BLOCK regions"
    if normal_form(source) == normal_form(parent):
        return "unchanged"
    missing = _missing_functions(tree, interface)
    if missing:
        return f"lacks {missing}"
    undefined = _undefined(
        table, {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    )
    return f"undefined name {undefined}" if undefined else ""


@lru_cache(maxsize=64)
def normal_form(source: str) -> str:
    """Equal for sources that differ in layout, comments or docstrings alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def _missing_functions(tree: ast.Module, interface: Interface) -> str:
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return ", ".join(name for name in interface.names if name not in defined)


def _undefined(table: symtable.SymbolTable, defined: set[str]) -> str:
    """The first name that no scope binds, or ""."""
    for symbol in table.get_symbols():
        name = symbol.get_name()
        unbound = symbol.is_global() or (
            table.get_type() == "module" and not symbol.is_assigned() and not symbol.is_imported()
        )
        if symbol.is_referenced() and unbound and name not in defined and name not in _BUILTINS:
            return name
    for child in table.get_children():
        undefined = _undefined(child, defined)
        if undefined:
            return undefined
    return ""
