"""Reads an untrusted text without executing it: does it parse, does it define the interface, what is its hash."""

from __future__ import annotations

import ast
import hashlib

from adrs.evaluation.interface import Function, Interface
from adrs.evaluation.outcome import Inspection

_SOURCE_CAP_KB = 1024  # parsing costs about 100 times the text's size in memory


def inspect(source: str, interface: Interface) -> Inspection:
    """See `Inspection`. The hash is equal for texts that differ in layout, comments or docstrings alone.

    Of a text that names `__doc__`, docstrings count: they may be what it computes with.
    """
    if len(source) > _SOURCE_CAP_KB * 1024:
        return _invalid(f"the source is longer than {_SOURCE_CAP_KB} KiB")
    try:
        tree = ast.parse(source)
        compile(tree, "policy.py", "exec", dont_inherit=True)  # finds what the parser lets pass, e.g. a stray `return`
        error = _lacking(tree, interface)
        if error:
            return _invalid(error)
        if "__doc__" not in source:
            _strip_docstrings(tree)
        return Inspection("ok", hashlib.sha256(ast.dump(tree).encode()).hexdigest(), sum(1 for _ in ast.walk(tree)))
    except SyntaxError as error:
        return _invalid(f"line {error.lineno}: {error.msg}" if error.lineno else error.msg)  # null bytes have no line
    except ValueError as error:  # lone surrogates
        return _invalid(str(error))
    except (RecursionError, MemoryError):
        return _invalid("the code is nested too deeply")


def _invalid(error: str) -> Inspection:
    return Inspection("invalid", error=error)


def _lacking(tree: ast.Module, interface: Interface) -> str:
    """What the text lacks of the interface, in one sentence; empty when it has all."""
    defined = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for function in interface.functions:
        call = f"{function.name}({', '.join(function.parameters)})"
        node = defined.get(function.name)
        if node is None:
            return f"the function {call} is not defined at top level"
        if isinstance(node, ast.AsyncFunctionDef):
            return f"line {node.lineno}: {function.name} is a coroutine; expected a plain function {call}"
        if not _accepts(node.args, function):
            return f"line {node.lineno}: {function.name} cannot be called as {call}"
    return ""


def _accepts(arguments: ast.arguments, function: Function) -> bool:
    """Whether every positional call that the interface allows binds."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    enough = arguments.vararg is not None or positional >= len(function.parameters)
    return enough and required <= function.required and None not in arguments.kw_defaults


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _has_docstring(node):
            node.body[:1] = [] if isinstance(node, ast.Module) or len(node.body) > 1 else [ast.Pass()]


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
