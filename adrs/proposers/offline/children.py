"""The children of a syntax node that matter to mutation: no layout, no parentheses, no names of fields or keywords."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache

import libcst as cst

_IGNORED = {
    "lpar", "rpar", "comma", "equal", "operator", "semicolon", "attr", "keyword", "annotation", "dot", "colon",
    "asynchronous", "first_colon", "second_colon", "lbracket", "rbracket", "lbrace", "rbrace", "header", "footer",
    "leading_lines", "trailing_whitespace", "returns", "decorators", "type_parameters", "value_separator", "names",
}  # fmt: skip


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    names = [field.name for field in dataclasses.fields(kind)]
    return tuple(name for name in names if name not in _IGNORED and not name.startswith("whitespace"))


def children(node: cst.CSTNode) -> Iterator[tuple[str, int | None, cst.CSTNode]]:
    """Each child as (field, index in a sequence or None, node)."""
    for name in _fields(type(node)):
        value = getattr(node, name)  # a field of the node's data class
        if isinstance(value, cst.CSTNode):
            yield name, None, value
        elif isinstance(value, list | tuple):
            for index, child in enumerate(value):
                yield name, index, child
