"""What kind of value an expression has, as far as the source tells: the types of the genetic programming.

Dimensions and integers carry *symbols*: `loads = np.zeros(num_gpus)` has the shape ("num_gpus",), and in
`for g in range(num_gpus)` the integer `g` is an index *over* "num_gpus", so `loads[g]` is known to be a valid scalar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Base = Literal[
    "int", "float", "bool", "str", "array", "list", "tuple", "dict", "struct", "none", "module", "function", "unknown"
]
ANY = "?"  # the symbol of a dimension that is not known; equal to no dimension, not even to itself


@dataclass(frozen=True)
class Kind:
    base: Base
    shape: tuple[str, ...] | None = None  # of an array (None: unknown number of dimensions) or a list (its length)
    item: Kind | None = None  # of an array, a list or the values of a dict
    items: tuple[Kind, ...] = ()  # of a tuple
    name: str = ""  # of a struct's class or a module
    symbol: str = ""  # of an int that equals a dimension
    over: str = ""  # of an int that is a valid index of dimensions with this symbol
    optional: bool = False  # may also be None

    @property
    def is_scalar(self) -> bool:
        return self.base in ("int", "float") and not self.optional

    @property
    def is_array(self) -> bool:
        """A numeric array of known shape."""
        return self.base == "array" and self.shape is not None and not self.optional

    @property
    def is_float_array(self) -> bool:
        return self.is_array and self.element.base == "float"

    @property
    def element(self) -> Kind:
        return self.item or UNKNOWN

    def required(self) -> Kind:
        return replace(self, optional=False)


UNKNOWN = Kind("unknown")
INT = Kind("int")
FLOAT = Kind("float")
BOOL = Kind("bool")
STR = Kind("str")
NONE = Kind("none")
FUNCTION = Kind("function")


def array(shape: tuple[str, ...] | None, item: Kind = FLOAT) -> Kind:
    return Kind("array", shape=shape, item=item)


def listing(item: Kind, length: str = ANY) -> Kind:
    return Kind("list", shape=(length,), item=item)


def join(left: Kind, right: Kind) -> Kind:
    """The kind of a value that is one or the other."""
    if left == right:
        return left
    if left.base == "none" or right.base == "none":
        return replace(right if left.base == "none" else left, optional=True)
    if {left.base, right.base} <= {"int", "float"}:
        return INT if left.base == right.base == "int" else FLOAT
    if left.base == right.base and left.base in ("array", "list"):
        item = join(left.element, right.element)
        return Kind(left.base, shape=left.shape if left.shape == right.shape else None, item=item)
    return UNKNOWN


def arithmetic(left: Kind, right: Kind, division: bool = False) -> Kind:
    """The kind of `left op right`, arrays broadcast."""
    if left.base == "array" or right.base == "array":
        item = arithmetic(_number(left), _number(right), division)
        return array(broadcast(left, right), item)
    if left.base in ("int", "bool") and right.base in ("int", "bool"):
        return FLOAT if division else INT
    if left.base in ("int", "bool", "float") and right.base in ("int", "bool", "float"):
        return FLOAT
    return UNKNOWN


def _number(kind: Kind) -> Kind:
    return kind.element if kind.base == "array" else kind


def broadcast(left: Kind, right: Kind) -> tuple[str, ...] | None:
    """The shape of an element-wise combination, None when it is not known."""
    if left.base != "array":
        return right.shape
    if right.base != "array":
        return left.shape
    if left.shape is None or right.shape is None:
        return None
    long, short = sorted((left.shape, right.shape), key=len, reverse=True)
    offset = len(long) - len(short)
    merged = [_merge(long[offset + i], dim) for i, dim in enumerate(short)]
    return (*long[:offset], *merged)


def _merge(left: str, right: str) -> str:
    if left == "1":
        return right
    return left if right in (left, "1") else ANY


def fits(shape: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Whether an array of `shape` broadcasts into `target` without changing it."""
    if len(shape) > len(target):
        return False
    tail = target[len(target) - len(shape) :]
    return all(dim == "1" or (dim == goal and dim != ANY) for dim, goal in zip(shape, tail, strict=True))
