"""The interface of a problem: which functions a policy defines, and what crosses the wall when they are called.

The contract is written as plain Python in the domain's `interface.py`: annotated function stubs with docstrings, and
`msgspec.Struct` classes for rows. Its text is shown to proposers and is the only domain code that enters the jail,
where policies may `from interface import ...` its data classes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from adrs.errors import InputError

IMPORTABLE = (  # pre-loaded in the jail, where nothing can be read from disk
    "abc", "array", "bisect", "collections", "copy", "dataclasses", "decimal", "enum", "fractions", "functools",
    "heapq", "itertools", "math", "numbers", "operator", "random", "re", "statistics", "string", "time", "typing",
    "numpy",
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """One function that a policy must define."""

    name: str
    parameters: tuple[str, ...]
    required: int  # how many leading parameters have no default
    doc: str


@dataclass(frozen=True)
class Interface:
    """The functions that a policy must define, and the source text that declares them."""

    functions: tuple[Function, ...]
    text: str
    imports: tuple[str, ...] = IMPORTABLE

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(function.name for function in self.functions)

    @classmethod
    def from_file(cls, path: str | Path) -> Interface:
        """Read an `interface.py`: every public top-level function is a function that policies must define.

        Raises:
            InputError: the file cannot be read, does not parse, or declares no function.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot read the interface: {error.strerror}") from None
        return cls.from_text(text, str(path))

    @classmethod
    def from_text(cls, text: str, name: str = "interface") -> Interface:
        """The same for a text; `name` stands in error messages."""
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            raise InputError(f"{name}:{error.lineno}: the interface does not parse: {error.msg}") from None
        functions = tuple(
            _function(node) for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        )
        if not functions:
            raise InputError(f"{name}: the interface declares no function; expected at least one `def` at top level")
        return cls(functions, text)


def _function(node: ast.FunctionDef) -> Function:
    parameters = tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))
    required = len(parameters) - len(node.args.defaults)
    return Function(node.name, parameters, required, ast.get_docstring(node) or "")
