"""What the interface's text declares: parameter kinds, return kinds and the fields of row structs."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from adrs.proposers.offline.kinds import BOOL, FLOAT, INT, NONE, STR, UNKNOWN, Kind, array, join, listing

_SCALARS = {"int": INT, "float": FLOAT, "bool": BOOL, "str": STR}
_ARRAYS = ("ndarray", "NDArray", "ArrayLike")
_LISTS = ("list", "List", "Sequence", "Iterable", "Collection", "set", "frozenset", "deque")
_MAPPINGS = ("dict", "Dict", "Mapping", "defaultdict")


@dataclass(frozen=True)
class Declarations:
    parameters: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)  # function -> parameter -> kind
    returns: Mapping[str, Kind] = field(default_factory=dict)
    structs: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)  # class -> field -> kind

    def annotation(self, node: ast.expr | None) -> Kind:
        """The kind that an annotation promises."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotation(_parse_annotation(node.value))
        if isinstance(node, ast.Constant) and node.value is None:
            return NONE
        if isinstance(node, ast.BinOp):
            return join(self.annotation(node.left), self.annotation(node.right))
        if isinstance(node, ast.Subscript):
            return self._generic(_last_name(node.value), node.slice)
        return self._plain(_last_name(node))

    def _plain(self, name: str) -> Kind:
        if name in self.structs:
            return Kind("struct", name=name)
        if name in _ARRAYS:
            return array(None)
        if name in _LISTS:
            return listing(UNKNOWN)
        return _SCALARS.get(name, UNKNOWN)

    def _generic(self, name: str, argument: ast.expr) -> Kind:
        arguments = argument.elts if isinstance(argument, ast.Tuple) else [argument]
        if name == "Optional":
            return replace(self.annotation(argument), optional=True)
        if name in _LISTS:
            return listing(self.annotation(arguments[0]))
        if name in _MAPPINGS:
            return Kind("dict", item=self.annotation(arguments[-1]))
        if name in ("tuple", "Tuple"):
            if isinstance(arguments[-1], ast.Constant) and arguments[-1].value is ...:
                return listing(self.annotation(arguments[0]))
            return Kind("tuple", items=tuple(self.annotation(a) for a in arguments))
        return self._plain(name)


@lru_cache(maxsize=16)
def declarations_of(text: str) -> Declarations:
    """Read the text of an interface (it parses: `Interface` has checked it)."""
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    named = Declarations(structs={node.name: {} for node in classes})
    declared = Declarations(structs={node.name: _fields(node, named) for node in classes})
    parameters = {node.name: _with_shapes(node, parameter_kinds(node.args, declared)) for node in functions}
    returns = {node.name: declared.annotation(node.returns) for node in functions}
    return Declarations(parameters, returns, declared.structs)


def parameter_kinds(arguments: ast.arguments, declared: Declarations) -> dict[str, Kind]:
    """Parameter name -> kind by annotation; a default of None makes it optional."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    kinds = {
        a.arg: _with_default(declared.annotation(a.annotation), d) for a, d in zip(positional, defaults, strict=True)
    }
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        kinds[argument.arg] = _with_default(declared.annotation(argument.annotation), default)
    return kinds


_SHAPE = r"^\s*{name}: (?P<dtype>\w+ )?[^\n\[]*\[(?P<dims>\w+(?:, *\w+)*)\]"


def _with_shapes(node: ast.FunctionDef, kinds: dict[str, Kind]) -> dict[str, Kind]:
    """Add what the docstring says of arrays, as in `weight: float64 [layers, experts]`."""
    text = ast.get_docstring(node) or ""
    return {name: _described(name, kind, text) for name, kind in kinds.items()}


def _described(name: str, kind: Kind, text: str) -> Kind:
    found = re.search(_SHAPE.format(name=re.escape(name)), text, re.MULTILINE)
    if kind.base != "array" or found is None:
        return kind
    shape = tuple(dim.strip() for dim in found["dims"].split(","))
    return replace(kind, shape=shape, item=INT if (found["dtype"] or "").startswith(("int", "uint")) else FLOAT)


def _with_default(kind: Kind, default: ast.expr | None) -> Kind:
    absent = isinstance(default, ast.Constant) and default.value is None
    return replace(kind, optional=True) if absent else kind


def _fields(node: ast.ClassDef, named: Declarations) -> dict[str, Kind]:
    return {
        item.target.id: named.annotation(item.annotation)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }


def _parse_annotation(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
