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
    undefined = _undefined_names(source) - _undefined_names(parent)
    return f"undefined name {min(undefined)}" if undefined else ""


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


@lru_cache(maxsize=64)
def _undefined_names(source: str) -> frozenset[str]:
    """Names that are read and that no scope binds (those of a star import among them)."""
    table = symtable.symtable(source, "policy", "exec")
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    return frozenset(_free_names(table)) - bound - _BUILTINS


def _free_names(table: symtable.SymbolTable) -> set[str]:
    """Names that a scope or one inside of it reads from the module or beyond."""
    at_top = table.get_type() == "module"
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (at_top or s.is_global())}
    return names.union(*(_free_names(child) for child in table.get_children()))
