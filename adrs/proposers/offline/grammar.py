"""Random expressions of a wanted kind from the names in scope: the terminals and functions of genetic programming.

The function set is closed in the sense of Koza, Genetic Programming (1992), 6.1.1: no division by zero, no root or
logarithm of a negative number.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import libcst as cst

from adrs.proposers.offline.declarations import Declarations
from adrs.proposers.offline.kinds import Kind, fits
from adrs.proposers.offline.numbers import as_text
from adrs.proposers.offline.spots import Scope, operand, text_of

# {a} and {x} are the expression as an operand and as an argument, {b} and {d} terminals, {c} a constant
_SCALAR = ("{a} + {c} * {b}", "{a} - {c} * {b}", "{a} * {b}", "{a} / max({b}, 1e-09)", "max({x}, {b})", "min({x}, {b})",
           "max({x}, {c} * {b})", "{a} * (1.0 + {c} * {b} / max({d}, 1e-09))")  # fmt: skip
_SCALAR_ALONE = ("{a} * {c}", "{a} + {c}", "abs({x}) ** {c}")
_ARRAY = ("{a} + {c} * {b}", "{a} - {c} * {b}", "{a} * {b}", "{a} / {np}.maximum({b}, 1e-09)", "{np}.maximum({x}, {b})",
          "{np}.minimum({x}, {b})", "{np}.maximum({x}, {c} * {b})",
          "{a} * (1.0 + {c} * {b} / ({np}.max({b}) + 1e-09))")  # fmt: skip
_ARRAY_ALONE = ("{np}.abs({x}) ** {c}", "{np}.log1p({np}.abs({x}))", "{a} + {c} * {np}.mean({x})")
_INT = ("{a} + {b}", "{a} - {b}", "max({x}, {b})", "min({x}, {b})")
_INT_ALONE = ("max(1, {a} // 2)", "{a} + 1", "{a} - 1")


@dataclass
class Grammar:
    """Grows texts of expressions that are valid where the scope holds."""

    scope: Scope
    declared: Declarations
    rng: random.Random
    _scalars: dict[bool, list[str]] = field(default_factory=dict)

    @property
    def numpy(self) -> str:
        """The name that numpy is bound to, or ""."""
        return next((n for n, kind in self.scope.items() if kind.base == "module" and kind.name == "numpy"), "")

    def grown(self, node: cst.BaseExpression, kind: Kind, ranks: bool = False) -> str | None:
        """A larger expression of the same kind around `node`, None when nothing fits.

        `ranks` leaves out the forms that never change an order.
        """
        if kind.is_array and not self.numpy:
            return None
        terminal, other = self.terminal(kind, avoid=text_of(node)), self.terminal(kind)
        if terminal is None or other is None:
            return None
        form = self.rng.choice(_forms(kind, ranks))
        return form.format(a=operand(node), x=text_of(node), b=terminal, d=other, c=self.constant(), np=self.numpy)

    def fresh(self, kind: Kind, avoid: str = "") -> str | None:
        """A new expression, a terminal or one step larger."""
        terminal = self.terminal(kind, avoid)
        if terminal is None or self.rng.random() < 0.4:
            return terminal
        return self.grown(cst.parse_expression(terminal), kind)

    def constant(self) -> str:
        """A positive constant, log-uniform around one, for the constant operator to tune."""
        return as_text(float(f"{10 ** self.rng.uniform(-1.5, 0.7):.2g}"))

    def threshold(self) -> str:
        """A positive constant of any size, for what a number is compared with."""
        return as_text(float(f"{10 ** self.rng.uniform(-2.0, 5.0):.1g}"))

    def terminal(self, kind: Kind, avoid: str = "") -> str | None:
        """A value of the kind that is in scope; for arrays also scalars, which broadcast."""
        choices = self.scalars(whole=kind.base == "int")
        if kind.is_array and kind.shape is not None:
            arrays = [text for text in self._arrays(kind.shape) if text != avoid]
            choices = arrays if arrays and self.rng.random() < 0.8 else choices
        choices = [choice for choice in choices if choice != avoid]
        return self.rng.choice(choices) if choices else None

    def scalars(self, whole: bool = False) -> list[str]:
        """Texts of the numbers in scope; `whole` leaves out what may not be an integer."""
        if whole not in self._scalars:
            texts = [text for name, kind in self.scope.items() for text in self._scalars_of(name, kind, whole)]
            self._scalars[whole] = texts
        return self._scalars[whole]

    def _scalars_of(self, text: str, kind: Kind, whole: bool) -> list[str]:
        if kind.is_scalar:
            return [text] if kind.base == "int" or not whole else []
        if kind.base == "struct" and not kind.optional:
            return self._fields(text, kind, whole)
        if kind.base == "list" and not kind.optional:
            return self._elements(text, kind, whole) + ([f"len({text})"] if kind.shape else [])
        if kind.is_array:
            found = self._elements(text, kind, whole)
            return found if whole else [*found, f"{text}.mean()", f"{text}.max()", f"{text}.sum()"]
        return []

    def _fields(self, text: str, kind: Kind, whole: bool) -> list[str]:
        fields = self.declared.structs.get(kind.name, {})
        nested = [self._scalars_of(f"{text}.{name}", value, whole) for name, value in fields.items()]
        return [found for texts in nested for found in texts]

    def _elements(self, text: str, kind: Kind, whole: bool) -> list[str]:
        """`text[i]` for every integer in scope that is known to be an index of it."""
        if not kind.shape:
            return []
        element = kind.element
        dims = kind.shape if kind.base == "array" else kind.shape[:1]
        places = [self._indices(dim) for dim in dims]
        if not all(places[:1]):
            return []
        if len(dims) > 1:
            texts = [f"{text}[{self.rng.choice(p)}]" for p in places[:1]]
            return [] if whole or len(dims) > 2 else [f"{t}.mean()" for t in texts] + [f"{t}.max()" for t in texts]
        if element.base == "struct":
            return [found for i in places[0] for found in self._fields(f"{text}[{i}]", element, whole)]
        if element.base == "list":
            return [f"len({text}[{i}])" for i in places[0]]
        if element.base not in ("int", "float") or (whole and element.base != "int"):
            return []
        return [f"{text}[{i}]" for i in places[0]]

    def _indices(self, dimension: str) -> list[str]:
        return [name for name, kind in self.scope.items() if kind.base == "int" and kind.over == dimension]

    def _arrays(self, shape: tuple[str, ...]) -> list[str]:
        texts: list[str] = []
        for name, kind in self.scope.items():
            if not kind.is_array or kind.shape is None or kind.element.base not in ("int", "float"):
                continue
            if fits(kind.shape, shape):
                texts.append(name)
            if kind.shape == shape and len(shape) > 1:
                texts.append(f"{name}.mean(axis=-1, keepdims=True)")
                texts.append(f"{name}.max(axis=-1, keepdims=True)")
            if len(kind.shape) > 1 and fits(kind.shape[1:], shape):
                texts.append(f"{name}.mean(axis=0)")
                texts.extend(f"{name}[{i}]" for i in self._indices(kind.shape[0]))
        return texts


def _forms(kind: Kind, ranks: bool) -> tuple[str, ...]:
    if kind.is_array:
        return _ARRAY if ranks else _ARRAY + _ARRAY_ALONE
    if kind.base == "int":
        return _INT if ranks else _INT + _INT_ALONE
    return _SCALAR if ranks else _SCALAR + _SCALAR_ALONE
