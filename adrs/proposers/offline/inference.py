"""Infer the kind of an expression from the names in scope. What it cannot tell is `UNKNOWN`, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from adrs.proposers.offline.declarations import Declarations
from adrs.proposers.offline.kinds import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    UNKNOWN,
    Kind,
    arithmetic,
    array,
    join,
    listing,
)  # fmt: skip
from adrs.proposers.offline.spots import Scope, text_of

_SAME = {"ascontiguousarray", "array", "asarray", "copy", "sort", "clip", "nan_to_num", "zeros_like", "ones_like",
         "empty_like", "full_like", "roll", "flip", "tril", "triu", "round", "abs", "absolute", "negative"}  # fmt: skip
_FLOATING = {"sqrt", "exp", "log", "log1p", "log2", "expm1", "square", "tanh", "reciprocal", "float_power"}
_ELEMENTWISE = {"maximum", "minimum", "add", "subtract", "multiply", "divide", "power", "hypot", "fmax", "fmin"}
_REDUCING = {"sum", "mean", "max", "min", "std", "var", "median", "prod", "amax", "amin", "percentile", "quantile"}
_INT_REDUCING = {"argmin", "argmax"}
_TESTS = {"all", "any"}
_MAKING = {"zeros", "ones", "empty", "full"}
_FLOAT_REDUCING = {"mean", "std", "var", "median", "percentile", "quantile"}
_METHODS = _SAME | _REDUCING | _INT_REDUCING | _TESTS | {"cumsum", "argsort", "astype", "reshape", "flatten", "ravel"}


@dataclass(frozen=True)
class Inference:
    declared: Declarations
    returned: Mapping[str, Kind] = field(default_factory=dict)  # by the module's own functions, as far as scanned

    def kind(self, node: cst.BaseExpression, scope: Scope) -> Kind:
        """The kind of the expression's value."""
        match node:
            case cst.Integer():
                return replace(INT, symbol=node.value)
            case cst.Float():
                return FLOAT
            case cst.Name(value="True" | "False") | cst.Comparison():
                return self._comparison(node, scope) if isinstance(node, cst.Comparison) else BOOL
            case cst.Name(value="None"):
                return NONE
            case cst.Name():
                return scope.get(node.value, UNKNOWN)
            case cst.SimpleString() | cst.FormattedString() | cst.ConcatenatedString():
                return STR
            case cst.UnaryOperation():
                inner = self.kind(node.expression, scope)
                return BOOL if isinstance(node.operator, cst.Not) else replace(inner, symbol="", over="")
            case cst.BinaryOperation():
                return self._binary(node, scope)
            case cst.BooleanOperation():
                return join(self.kind(node.left, scope), self.kind(node.right, scope))
            case cst.IfExp():
                return join(self.kind(node.body, scope), self.kind(node.orelse, scope))
            case cst.NamedExpr():
                return self.kind(node.value, scope)
        return self._container(node, scope)

    def _container(self, node: cst.BaseExpression, scope: Scope) -> Kind:
        match node:
            case cst.Tuple():
                return Kind("tuple", items=tuple(self.kind(e.value, scope) for e in node.elements))
            case cst.List():
                kinds = [self.kind(e.value, scope) for e in node.elements]
                item = kinds[0] if kinds else UNKNOWN
                for kind in kinds[1:]:
                    item = join(item, kind)
                return listing(replace(item, symbol="", over=""), str(len(kinds)) if kinds else ANY)
            case cst.ListComp() | cst.GeneratorExp():
                inner, length = self.comprehension_scope(node.for_in, scope)
                return listing(self.kind(node.elt, inner), length)
            case cst.DictComp():
                inner, _ = self.comprehension_scope(node.for_in, scope)
                return Kind("dict", item=self.kind(node.value, inner))
            case cst.Dict():
                return Kind("dict", item=UNKNOWN)
            case cst.Subscript():
                return self._subscript(node, scope)
            case cst.Attribute():
                return self._attribute(node, scope)
            case cst.Call():
                return self._call(node, scope)
        return UNKNOWN

    def comprehension_scope(self, loop: cst.CompFor, scope: Scope) -> tuple[Scope, str]:
        """The scope inside of `for ... in ...`, and the symbol of its length."""
        iterated = self.kind(loop.iter, scope)
        inner = dict(scope)
        self.bind(loop.target, self.element(iterated), inner)
        length = iterated.shape[0] if iterated.shape else ANY
        if loop.inner_for_in is not None:
            return self.comprehension_scope(loop.inner_for_in, inner)[0], ANY
        return inner, ANY if loop.ifs else length

    def bind(self, target: cst.BaseExpression, kind: Kind, scope: dict[str, Kind]) -> None:
        """Enter what an assignment to `target` binds."""
        if isinstance(target, cst.Name):
            scope[target.value] = kind
        elif isinstance(target, cst.Tuple | cst.List):
            parts = self._parts(kind, len(target.elements))
            for element, part in zip(target.elements, parts, strict=True):
                self.bind(element.value, part, scope)

    def _parts(self, kind: Kind, count: int) -> Sequence[Kind]:
        if kind.base == "tuple" and len(kind.items) == count:
            return kind.items
        return [self.element(kind)] * count if kind.base in ("list", "array") else [UNKNOWN] * count

    def element(self, kind: Kind) -> Kind:
        """What iterating over a value yields."""
        if kind.base == "array":
            return _drop(kind, 1)
        if kind.base == "list":
            return kind.element
        if kind.base == "tuple" and kind.items:
            return kind.items[0] if len(set(kind.items)) == 1 else UNKNOWN
        return UNKNOWN

    def _comparison(self, node: cst.Comparison, scope: Scope) -> Kind:
        merged = self.kind(node.left, scope)
        for target in node.comparisons:
            merged = arithmetic(merged, self.kind(target.comparator, scope))
        return array(merged.shape, BOOL) if merged.base == "array" else BOOL

    def _binary(self, node: cst.BinaryOperation, scope: Scope) -> Kind:
        left, right = self.kind(node.left, scope), self.kind(node.right, scope)
        if left.base == "list" and isinstance(node.operator, cst.Multiply):
            return listing(left.element, self.symbol(node.right, scope) if left.shape == ("1",) else ANY)
        if isinstance(node.operator, cst.MatrixMultiply):
            return UNKNOWN
        return arithmetic(left, right, isinstance(node.operator, cst.Divide))

    def symbol(self, node: cst.BaseExpression, scope: Scope) -> str:
        """The symbol of an int used as a dimension: what it stands for if known, else its text."""
        kind = self.kind(node, scope)
        if kind.symbol:
            return kind.symbol
        return text_of(node).replace(" ", "") if kind.base == "int" else ANY

    def _subscript(self, node: cst.Subscript, scope: Scope) -> Kind:
        value = self.kind(node.value, scope)
        if value.base == "dict":
            return value.element
        first = node.slice[0].slice
        if value.base in ("list", "tuple"):
            return self._pick(value, first, scope)
        if value.base != "array" or value.shape is None:
            return UNKNOWN if value.base != "array" else replace(array(None), item=value.item)
        return self._index_array(value, [element.slice for element in node.slice], scope)

    def _pick(self, value: Kind, index: cst.BaseSlice, scope: Scope) -> Kind:
        if isinstance(index, cst.Slice):
            return listing(self.element(value)) if value.base == "list" else UNKNOWN
        if value.base == "tuple" and isinstance(index, cst.Index) and isinstance(index.value, cst.Integer):
            place = int(index.value.value)
            return value.items[place] if place < len(value.items) else UNKNOWN
        return self.element(value)

    def _index_array(self, value: Kind, indices: list[cst.BaseSlice], scope: Scope) -> Kind:
        shape = list(value.shape or ())
        result: list[str] = []
        for index in indices:
            if isinstance(index, cst.Index) and isinstance(index.value, cst.Name) and index.value.value == "None":
                result.append("1")
                continue
            if not shape or (isinstance(index, cst.Index) and isinstance(index.value, cst.Ellipsis)):
                return array(None, value.element)
            dimension = shape.pop(0)
            if isinstance(index, cst.Slice):
                result.append(dimension if index.lower is None and index.upper is None and index.step is None else ANY)
                continue
            kind = self.kind(index.value, scope) if isinstance(index, cst.Index) else UNKNOWN
            if kind.base == "array" and kind.shape is not None:
                result.extend([ANY] * len(kind.shape) if kind.element.base == "bool" else kind.shape)
            elif kind.base != "int":
                return UNKNOWN
        return _shaped(tuple(result + shape), value.element)

    def _attribute(self, node: cst.Attribute, scope: Scope) -> Kind:
        value, name = self.kind(node.value, scope), node.attr.value
        if value.base == "struct":
            return self.declared.structs.get(value.name, {}).get(name, UNKNOWN)
        if value.base == "module":
            return FLOAT if name in ("pi", "e", "inf") else UNKNOWN
        if value.base != "array":
            return UNKNOWN
        if name == "shape":
            base = text_of(node.value)
            dims = value.shape
            if dims is None:
                return Kind("tuple", name=base)
            return Kind("tuple", items=tuple(replace(INT, symbol=dim if dim != ANY else "") for dim in dims))
        if name == "T" and value.shape is not None:
            return replace(value, shape=value.shape[::-1])
        return INT if name in ("size", "ndim") else UNKNOWN

    def _call(self, node: cst.Call, scope: Scope) -> Kind:
        arguments = [a.value for a in node.args if a.keyword is None and not a.star]
        if isinstance(node.func, cst.Name):
            return self._builtin(node.func.value, node, arguments, scope)
        if not isinstance(node.func, cst.Attribute):
            return UNKNOWN
        name = node.func.attr.value
        owner = self.kind(node.func.value, scope)
        if owner.base == "module" and owner.name == "numpy":
            return self._numpy(name, node, arguments, scope)
        if owner.base == "module" and owner.name == "math":
            return INT if name in ("ceil", "floor", "gcd", "isqrt") else FLOAT
        if owner.base == "array" and name in _METHODS:
            return self._numpy(name, node, [node.func.value, *arguments], scope)
        if owner.base == "dict":
            return self._dict_method(name, owner, arguments, scope)
        return STR if owner.base == "str" else UNKNOWN

    def _dict_method(self, name: str, owner: Kind, arguments: list[cst.BaseExpression], scope: Scope) -> Kind:
        if name == "items":
            return listing(Kind("tuple", items=(UNKNOWN, owner.element)))
        if name == "values":
            return listing(owner.element)
        if name == "get" and len(arguments) == 2:
            default = self.kind(arguments[1], scope)
            return default if owner.element == UNKNOWN else join(owner.element, default)
        return replace(owner.element, optional=True) if name == "get" else UNKNOWN

    def _builtin(self, name: str, node: cst.Call, arguments: list[cst.BaseExpression], scope: Scope) -> Kind:
        first = self.kind(arguments[0], scope) if arguments else UNKNOWN
        match name:
            case "len":
                return replace(INT, symbol=first.shape[0] if first.shape and first.shape[0] != ANY else "")
            case "int" | "float" | "bool" | "str":
                return {"int": replace(first, optional=False) if first.base == "int" else INT,
                        "float": FLOAT, "bool": BOOL, "str": STR}[name]  # fmt: skip
            case "range":
                over = self.symbol(arguments[-1 if len(arguments) < 3 else 1], scope) if arguments else ANY
                return listing(replace(INT, over=over), over if len(arguments) == 1 else ANY)
            case "enumerate":
                length = first.shape[0] if first.shape else ANY
                return listing(Kind("tuple", items=(replace(INT, over=length), self.element(first))), length)
            case "zip":
                return listing(Kind("tuple", items=tuple(self.element(self.kind(a, scope)) for a in arguments)))
            case "sorted" | "list" | "reversed" | "tuple":
                return listing(self.element(first), first.shape[0] if first.shape else ANY)
            case "sum" | "min" | "max":
                return self._extreme(name, arguments, scope)
            case "abs" | "round":
                return INT if name == "round" and len(arguments) == 1 else replace(first, over="", symbol="")
        if name in self.declared.structs:
            return Kind("struct", name=name)
        declared = self.declared.returns.get(name, UNKNOWN)
        return self.returned.get(name, UNKNOWN) if declared.base == "unknown" else declared

    def _extreme(self, name: str, arguments: list[cst.BaseExpression], scope: Scope) -> Kind:
        kinds = [self.kind(a, scope) for a in arguments]
        if len(kinds) == 1 or name == "sum":
            return self.element(kinds[0]) if kinds else UNKNOWN
        result = kinds[0]
        for kind in kinds[1:]:
            result = join(replace(result, symbol="", over=""), replace(kind, symbol="", over=""))
        return result

    def _numpy(self, name: str, node: cst.Call, arguments: list[cst.BaseExpression], scope: Scope) -> Kind:
        keywords = {a.keyword.value: a.value for a in node.args if a.keyword is not None}
        first = self.kind(arguments[0], scope) if arguments else UNKNOWN
        first = first if first.base == "array" or first.is_scalar else _from_list(first)
        if name in _MAKING and arguments:
            filled = self.kind(arguments[1], scope) if name == "full" and len(arguments) > 1 else FLOAT
            item = _dtype(keywords.get("dtype"), replace(filled, over="", symbol=""))
            return array(self._shape(arguments[0], scope), item)
        if name in ("repeat", "tile", "resize") and first.base == "array":
            return array((ANY,), first.element)
        if name == "arange" and arguments:
            over = self.symbol(arguments[0], scope) if len(arguments) == 1 else ANY
            return array((over,), replace(INT, over=over))
        if name == "reshape":
            return array(
                self._shape(arguments[1], scope) if len(arguments) == 2 else (ANY,) * (len(arguments) - 1),
                first.element,
            )
        if name == "astype":
            return replace(first, item=_dtype(arguments[1], UNKNOWN)) if len(arguments) > 1 else UNKNOWN
        if name == "where" and len(arguments) == 3:
            return arithmetic(self.kind(arguments[1], scope), self.kind(arguments[2], scope))
        if name in _ELEMENTWISE and len(arguments) == 2:
            return arithmetic(first, self.kind(arguments[1], scope), name in ("divide", "power"))
        if name in ("linspace", "nonzero", "flatnonzero", "unique", "concatenate", "bincount"):
            return array((ANY,), INT if name in ("flatnonzero", "bincount") and not keywords else FLOAT)
        if first.base != "array":
            return FLOAT if first.is_scalar and name in _FLOATING else first if name in _SAME else UNKNOWN
        return self._numpy_on_array(name, first, keywords, arguments[1:], scope)

    def _numpy_on_array(
        self,
        name: str,
        value: Kind,
        keywords: dict[str, cst.BaseExpression],
        rest: list[cst.BaseExpression],
        scope: Scope,
    ) -> Kind:
        if name in ("flatten", "ravel"):
            return array((ANY,), value.element)
        if name in _SAME:
            return replace(value, item=_dtype(keywords.get("dtype"), value.element), optional=False)
        if name in _FLOATING:
            return replace(value, item=FLOAT)
        axis = keywords.get("axis", rest[0] if rest and name not in ("percentile", "quantile") else None)
        if name == "argsort":
            place = _axis(axis, -1)
            over = value.shape[place] if value.shape and -len(value.shape) <= place < len(value.shape) else ANY
            return replace(value, item=replace(INT, over=over))
        if name == "cumsum":
            return value if axis is not None else array((ANY,), value.element)
        if name in _REDUCING | _INT_REDUCING | _TESTS:
            return _reduce(name, value, axis, "keepdims" in keywords)
        return UNKNOWN

    def _shape(self, node: cst.BaseExpression, scope: Scope) -> tuple[str, ...] | None:
        if isinstance(node, cst.Tuple | cst.List):
            return tuple(self.symbol(element.value, scope) for element in node.elements)
        kind = self.kind(node, scope)
        if kind.base == "tuple":
            return tuple(item.symbol or ANY for item in kind.items) if kind.items else None
        return (self.symbol(node, scope),) if kind.base == "int" else None


def _axis(node: cst.BaseExpression | None, default: int | None) -> int:
    text = text_of(node) if node is not None else str(default)
    return int(text) if text.lstrip("-").isdigit() else 0


def _reduce(name: str, value: Kind, axis: cst.BaseExpression | None, keepdims: bool) -> Kind:
    item = value.element
    if name in _INT_REDUCING:
        item = INT
    elif name in _TESTS:
        item = BOOL
    elif name in _FLOAT_REDUCING:
        item = FLOAT
    if axis is None:
        if name in _INT_REDUCING and value.shape and len(value.shape) == 1:
            return replace(INT, over=value.shape[0])
        return replace(item, over="", symbol="")
    if value.shape is None:
        return array(None, item)
    shape = list(value.shape)
    place = _axis(axis, None)
    if not -len(shape) <= place < len(shape):
        return UNKNOWN
    if keepdims:
        shape[place] = "1"
    else:
        del shape[place]
    return _shaped(tuple(shape), item)


def _drop(value: Kind, count: int) -> Kind:
    return array(None, value.element) if value.shape is None else _shaped(value.shape[count:], value.element)


def _shaped(shape: tuple[str, ...], item: Kind) -> Kind:
    return array(shape, item) if shape else item


def _from_list(kind: Kind) -> Kind:
    if kind.base == "list" and kind.element.base in ("int", "float"):
        return array(kind.shape, kind.element)
    return UNKNOWN


def _dtype(node: cst.BaseExpression | None, default: Kind) -> Kind:
    if node is None:
        return default
    text = text_of(node)
    if "float" in text:
        return FLOAT
    if "bool" in text:
        return BOOL
    return INT if "int" in text else UNKNOWN
