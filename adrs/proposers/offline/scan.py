"""One pass over a module: every expression and statement with its scope, kinds and role."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import libcst as cst

from adrs.proposers.offline.children import children
from adrs.proposers.offline.declarations import Declarations, parameter_kinds
from adrs.proposers.offline.inference import Inference
from adrs.proposers.offline.kinds import ANY, FUNCTION, INT, UNKNOWN, Kind, array, join
from adrs.proposers.offline.roles import role_of
from adrs.proposers.offline.spots import Scope, Spot, text_of

_LENGTH_CHANGE = re.compile(r"\b(\w+)\.(?:append|appendleft|extend|insert|pop|popleft|remove|clear)\(|heap\w+\((\w+)")
_COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp)


@dataclass
class Sites:
    """What operators choose from, in source order."""

    expressions: list[Spot] = field(default_factory=list)
    statements: list[Spot] = field(default_factory=list)  # elements of blocks: whole lines and compound statements
    small: list[Spot] = field(default_factory=list)  # the simple statements on those lines
    slices: list[Spot] = field(default_factory=list)
    functions: dict[str, Spot] = field(default_factory=dict)  # module-level functions


class Scanner:
    """Scans the interface's functions first, so that helpers learn their parameters' kinds from the calls."""

    def __init__(self, declared: Declarations, is_allowed: Callable[[cst.CSTNode], bool]) -> None:
        self._declared = declared
        self._returned: dict[str, Kind] = {}
        self.inference = Inference(declared, self._returned)
        self._is_allowed = is_allowed
        self._sites = Sites()
        self._pending: dict[str, Spot] = {}  # module-level functions that are not scanned yet
        self._changing: set[str] = set()  # names of lists that change their length

    def scan(self, module: cst.Module) -> Sites:
        root = Spot(module, None, "", None, {})
        scope = self._module_scope(module)
        self._changing = {name for names in _LENGTH_CHANGE.findall(module.code) for name in names}
        so_far: Scope = {}
        for index, node in enumerate(module.body):
            spot = Spot(node, root, "body", index, so_far, allowed=self._is_allowed(node))
            self._sites.statements.append(spot)
            if isinstance(node, cst.FunctionDef):
                function = replace(spot, scope=scope)  # runs when everything is defined
                self._pending[node.name.value] = self._sites.functions[node.name.value] = function
                so_far = {**so_far, node.name.value: FUNCTION}
            else:
                so_far = self._statement(spot) or so_far
        for name in [*self._declared.parameters, *self._pending]:
            if name in self._pending:
                self._function(self._pending.pop(name), [])
        return self._sites

    def _module_scope(self, module: cst.Module) -> Scope:
        scope: dict[str, Kind] = {}
        for node in module.body:
            if isinstance(node, cst.FunctionDef | cst.ClassDef):
                scope[node.name.value] = FUNCTION
            elif isinstance(node, cst.SimpleStatementLine):
                for small in node.body:
                    scope = self._bound_by(small, scope)
        return scope

    def _function(self, spot: Spot, arguments: list[Kind] | None = None) -> None:
        """Scan a function; `arguments` are those of its first call, None for a function within another one."""
        node = cst.ensure_type(spot.node, cst.FunctionDef)
        top = arguments is not None
        name = node.name.value if top else spot.function
        scope = {**spot.scope, **self._parameters(node, arguments)}
        body = Spot(node.body, spot, "body", None, scope, function=name, depth=0 if top else spot.depth)
        self._block(body, scope)

    def _parameters(self, node: cst.FunctionDef, arguments: list[Kind] | None) -> dict[str, Kind]:
        parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
        kinds = {p.name.value: UNKNOWN for p in parameters}
        kinds.update(_annotated(node, self._declared))
        known = {} if arguments is None else self._declared.parameters.get(node.name.value, {})
        kinds.update((p, kind) for p, kind in known.items() if p in kinds)
        for parameter, kind in zip(parameters, arguments or [], strict=False):
            if kinds[parameter.name.value] in (UNKNOWN, array(None)):
                kinds[parameter.name.value] = kind
        return kinds

    def _block(self, body: Spot, scope: Scope) -> Scope | None:
        """Scan the statements of a block. Returns the scope behind it, None when control never gets there."""
        if not isinstance(body.node, cst.IndentedBlock):
            return scope
        after: Scope | None = scope
        for index, node in enumerate(body.node.body):
            allowed = self._is_allowed(node)
            spot = replace(body, node=node, parent=body, field="body", index=index, scope=scope, allowed=allowed)
            self._sites.statements.append(spot)
            following = self._statement(spot)
            after = following if after is not None else None
            scope = following if following is not None else scope
        return after

    def _statement(self, spot: Spot) -> Scope | None:
        match spot.node:
            case cst.SimpleStatementLine():
                return self._line(spot)
            case cst.If():
                return self._if(spot)
            case cst.For():
                return self._for(spot)
            case cst.While():
                self._expression(self._child(spot, "test", role="condition"))
                self._block(replace(self._child(spot, "body"), depth=spot.depth + 1), spot.scope)
                return spot.scope
            case cst.With():
                return self._block(self._child(spot, "body"), spot.scope)
            case cst.Try():
                self._block(self._child(spot, "body"), spot.scope)
                return spot.scope
            case cst.FunctionDef():
                self._function(spot)
                return {**spot.scope, spot.node.name.value: FUNCTION}
        return spot.scope

    def _child(self, spot: Spot, name: str, role: str = "value") -> Spot:
        node = vars_of(spot.node, name)
        return replace(spot, node=node, parent=spot, field=name, index=None, role=role)

    def _line(self, spot: Spot) -> Scope | None:
        scope: Scope = spot.scope
        line = cst.ensure_type(spot.node, cst.SimpleStatementLine)
        for index, small in enumerate(line.body):
            inner = replace(spot, node=small, parent=spot, field="body", index=index, scope=scope)
            self._sites.small.append(inner)
            for name, position, child in children(small):
                role = "target" if name in ("target", "targets") else "value"
                self._descend(replace(inner, node=child, parent=inner, field=name, index=position, role=role))
            scope = self._bound_by(small, scope)
            if isinstance(small, cst.Return) and small.value is not None:
                self._record_return(spot.function, self.inference.kind(small.value, scope))
            if isinstance(small, cst.Return | cst.Raise | cst.Break | cst.Continue):
                return None
        return scope

    def _bound_by(self, small: cst.BaseSmallStatement, scope: Scope) -> dict[str, Kind]:
        after = dict(scope)
        match small:
            case cst.Assign():
                kind = self.inference.kind(small.value, scope)
                for target in small.targets:
                    self._bind(target.target, kind, after)
            case cst.AnnAssign():
                declared = self._declared.annotation(_expression_ast(small.annotation.annotation))
                if small.value is not None and declared.base in ("unknown", "list", "dict", "array"):
                    declared = _more(self.inference.kind(small.value, scope), declared)
                self._bind(small.target, declared, after)
            case cst.AugAssign(target=cst.Name() as target) if target.value in after:
                merged = join(after[target.value], self.inference.kind(small.value, scope))
                after[target.value] = replace(
                    merged if merged.base == "float" else after[target.value], symbol="", over=""
                )
            case cst.Import() | cst.ImportFrom():
                _bind_imports(small, after, self._declared)
        return after

    def _bind(self, target: cst.BaseExpression, kind: Kind, scope: dict[str, Kind]) -> None:
        if kind.base == "tuple" and kind.name and isinstance(target, cst.Tuple):
            kind = _learn_shape(kind.name, len(target.elements), scope)
        self.inference.bind(target, kind, scope)
        for name in _target_names(target):
            scope[name] = _named_dimensions(scope[name], name, name in self._changing)

    def _if(self, spot: Spot) -> Scope | None:
        node = cst.ensure_type(spot.node, cst.If)
        self._expression(self._child(spot, "test", role="condition"))
        taken, skipped = _narrowed(node.test, spot.scope)
        body = self._block(self._child(spot, "body"), taken)
        if node.orelse is None:
            return _merge(body, skipped)
        orelse = self._child(spot, "orelse")
        if isinstance(node.orelse, cst.If):
            return _merge(body, self._if(replace(orelse, scope=skipped)))
        return _merge(body, self._block(self._child(orelse, "body"), skipped))

    def _for(self, spot: Spot) -> Scope:
        node = cst.ensure_type(spot.node, cst.For)
        self._expression(self._child(spot, "iter", role="iter"))
        inner = dict(spot.scope)
        self.inference.bind(node.target, self.inference.element(self.inference.kind(node.iter, spot.scope)), inner)
        self._block(replace(self._child(spot, "body"), depth=spot.depth + 1), inner)
        return spot.scope

    def _expression(self, spot: Spot) -> None:
        if spot.role != "target":
            self._sites.expressions.append(spot)
        node = spot.node
        if isinstance(node, cst.Call):
            self._follow_call(node, spot.scope)
        scopes = self._inner_scopes(spot)
        for name, position, child in children(node):
            if isinstance(child, cst.Param | cst.Parameters):
                continue
            scope = scopes.get(name, spot.scope)
            inner = replace(spot, node=child, parent=spot, field=name, index=position, scope=scope)
            self._descend(replace(inner, role=role_of(inner)))

    def _descend(self, spot: Spot) -> None:
        """Into an expression, through the nodes that only wrap one (arguments, elements, slices)."""
        if isinstance(spot.node, cst.BaseExpression):
            self._expression(spot)
            return
        if isinstance(spot.node, cst.Slice):
            self._sites.slices.append(spot)
        for name, position, child in children(spot.node):
            inner = replace(spot, node=child, parent=spot, field=name, index=position)
            self._descend(replace(inner, role=role_of(inner)))

    def _inner_scopes(self, spot: Spot) -> dict[str, Scope]:
        node = spot.node
        if isinstance(node, _COMPREHENSIONS):
            scope, _ = self.inference.comprehension_scope(node.for_in, spot.scope)
            return dict.fromkeys(("elt", "key", "value"), scope)
        if isinstance(node, cst.Lambda):
            return {"body": {**spot.scope, **self._lambda_parameters(node, spot)}}
        return {}

    def _lambda_parameters(self, node: cst.Lambda, spot: Spot) -> dict[str, Kind]:
        names = [p.name.value for p in node.params.params]
        kinds = dict.fromkeys(names, UNKNOWN)
        argument = spot.parent
        call = argument.parent.node if argument is not None and argument.parent is not None else None
        if isinstance(call, cst.Call) and len(names) == 1:
            ranked = call.func.value if isinstance(call.func, cst.Attribute) else call.args[0].value
            kinds[names[0]] = self.inference.element(self.inference.kind(ranked, spot.scope))
        return kinds

    def _follow_call(self, node: cst.Call, scope: Scope) -> None:
        """Scan a helper at its first call, so that its parameters and its result have kinds."""
        if isinstance(node.func, cst.Name) and node.func.value in self._pending:
            kinds = [self.inference.kind(a.value, scope) for a in node.args if a.keyword is None and not a.star]
            self._function(self._pending.pop(node.func.value), [replace(kind, symbol="") for kind in kinds])

    def _record_return(self, function: str, kind: Kind) -> None:
        self._returned[function] = join(self._returned[function], kind) if function in self._returned else kind


def vars_of(node: cst.CSTNode, name: str) -> cst.CSTNode:
    child: cst.CSTNode = getattr(node, name)  # a field of the node's data class
    return child


def _expression_ast(node: cst.BaseExpression) -> ast.expr:
    return ast.parse(text_of(node), mode="eval").body


def _annotated(node: cst.FunctionDef, declared: Declarations) -> dict[str, Kind]:
    header = node.with_changes(
        body=cst.SimpleStatementSuite([cst.Pass()]), decorators=[], leading_lines=[], returns=None
    )
    function = ast.parse(text_of(header).strip()).body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    return parameter_kinds(function.args, declared)


def _more(value: Kind, declared: Kind) -> Kind:
    """The annotation's kind, completed by what the value shows."""
    if value.base == declared.base:
        item = declared.item if declared.item is not None and declared.element.base != "unknown" else value.item
        return replace(value, item=item)
    return value if declared.base == "unknown" else declared


def _target_names(target: cst.BaseExpression) -> list[str]:
    if isinstance(target, cst.Tuple | cst.List):
        return [name for element in target.elements for name in _target_names(element.value)]
    return [target.value] if isinstance(target, cst.Name) else []


def _named_dimensions(kind: Kind, name: str, changing: bool) -> Kind:
    """The kind of a value once it has a name: an unknown dimension is at least equal to itself."""
    if kind.symbol.isdigit():
        kind = replace(kind, symbol="")
    if kind.base == "list" and changing:
        return replace(kind, shape=(ANY,))
    if kind.base not in ("list", "array") or kind.shape is None:
        return kind
    return replace(kind, shape=tuple(f"{name}.{i}" if dim == ANY else dim for i, dim in enumerate(kind.shape)))


def _learn_shape(base: str, count: int, scope: dict[str, Kind]) -> Kind:
    """`a, b = x.shape` tells that x has two dimensions."""
    symbols = tuple(f"{base}.{place}" for place in range(count))
    if base in scope:
        scope[base] = replace(scope[base], shape=symbols)
    return Kind("tuple", items=tuple(replace(INT, symbol=symbol) for symbol in symbols))


def _bind_imports(small: cst.Import | cst.ImportFrom, scope: dict[str, Kind], declared: Declarations) -> None:
    if isinstance(small.names, cst.ImportStar):
        return
    for alias in small.names:
        bound = text_of(alias.asname.name) if alias.asname is not None else text_of(alias.name).split(".")[0]
        if isinstance(small, cst.Import):
            scope[bound] = Kind("module", name=text_of(alias.name))
        else:
            scope[bound] = FUNCTION


def _narrowed(test: cst.BaseExpression, scope: Scope) -> tuple[Scope, Scope]:
    """The scopes in which a test of `x is None` or `x is not None` holds and fails."""
    if not (isinstance(test, cst.Comparison) and isinstance(test.left, cst.Name) and test.left.value in scope):
        return scope, scope
    target = test.comparisons[0]
    if len(test.comparisons) > 1 or not (isinstance(target.comparator, cst.Name) and target.comparator.value == "None"):
        return scope, scope
    name = test.left.value
    present = {**scope, name: scope[name].required()}
    if isinstance(target.operator, cst.IsNot):
        return present, scope
    return (scope, present) if isinstance(target.operator, cst.Is) else (scope, scope)


def _merge(left: Scope | None, right: Scope | None) -> Scope | None:
    if left is None or right is None:
        return right if left is None else left
    if left is right:
        return left
    return {
        name: kind if kind == right[name] else join(kind, right[name]) for name, kind in left.items() if name in right
    }
