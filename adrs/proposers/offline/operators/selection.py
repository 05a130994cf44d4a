"""Keys, directions and extents of sorts and selections."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from adrs.proposers.offline.kinds import FLOAT
from adrs.proposers.offline.operators.base import Context, Edit, Operator, substitute
from adrs.proposers.offline.operators.growth import grammar_at
from adrs.proposers.offline.roles import called_name
from adrs.proposers.offline.spots import Spot, operand, text_of

_ORDERING = ("sorted", "sort", "min", "max")
_RANKING = ("argsort", "argmin", "argmax")


def _direction(context: Context) -> Edit | None:
    """Turn a sort or a ranking around."""
    spots = [spot for spot in context.program.expressions() if _orders(spot.node)]
    if not spots:
        return None
    spot = context.pick(spots)
    call = cst.ensure_type(spot.node, cst.Call)
    if called_name(call) in ("sorted", "sort") and not _is_numpy(context, spot, call):
        return substitute(spot, call.with_changes(args=_reversed(call)))
    if call.args and _is_numpy(context, spot, call):
        negated = call.args[0].with_changes(value=_negated(call.args[0].value))
        return substitute(spot, call.with_changes(args=[negated, *call.args[1:]]))
    return None


def _orders(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and called_name(node) in ("sorted", "sort", *_RANKING)


def _is_numpy(context: Context, spot: Spot, call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and (
        context.program.inference.kind(call.func.value, spot.scope).base == "module"
    )


def _reversed(call: cst.Call) -> list[cst.Arg]:
    kept = [a for a in call.args if a.keyword is None or a.keyword.value != "reverse"]
    if len(kept) < len(call.args):
        return kept
    flag = cst.ensure_type(cst.parse_expression("f(reverse=True)"), cst.Call).args[0]
    return [*kept, flag]


def _negated(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        return node.expression
    return cst.parse_expression(f"-{operand(node)}")


def _key(context: Context) -> Edit | None:
    """Give a sort or a selection another key, or a tie-breaker."""
    spots = [spot for spot in context.program.expressions() if spot.role == "key" and _is_key_body(spot)]
    bare = [spot for spot in context.program.expressions() if _takes_key(context, spot)]
    if not spots and not bare:
        return None
    spot = context.pick([*spots, *bare])
    if isinstance(spot.node, cst.Call) and spot in bare:
        return _added_key(context, spot, spot.node)
    assert isinstance(spot.node, cst.BaseExpression)
    if isinstance(spot.node, cst.Tuple):
        return _tuple_key(context, spot, spot.node)
    text = grammar_at(context, spot).fresh(FLOAT, avoid=text_of(spot.node))
    if text is None:
        return None
    own = text_of(spot.node)
    return substitute(spot, cst.parse_expression(context.pick([text, f"({own}, {text})", f"({text}, {own})"])))


def _is_key_body(spot: Spot) -> bool:
    return spot.parent is not None and isinstance(spot.parent.node, cst.Lambda) and spot.field == "body"


def _takes_key(context: Context, spot: Spot) -> bool:
    """Whether it is a call of sorted, sort, min or max over one list, without a key."""
    call = spot.node
    if not (isinstance(call, cst.Call) and called_name(call) in _ORDERING):
        return False
    if any(a.keyword is not None and a.keyword.value in ("key", "axis") for a in call.args):
        return False
    positional = [a for a in call.args if a.keyword is None]
    if isinstance(call.func, cst.Attribute):
        return not positional and context.program.inference.kind(call.func.value, spot.scope).base == "list"
    return len(positional) == 1 and called_name(call) == "sorted"


def _added_key(context: Context, spot: Spot, call: cst.Call) -> Edit | None:
    ranked = call.func.value if isinstance(call.func, cst.Attribute) else call.args[0].value
    inference = context.program.inference
    element = inference.element(inference.kind(ranked, spot.scope))
    name = _fresh_name(spot)
    inner = grammar_at(context, spot)
    inner.scope = {name: element, **spot.scope}
    own = [text for text in inner.scalars() if name in text]
    if not own:
        return None
    body = _signed(context, context.pick(own))
    argument = cst.ensure_type(cst.parse_expression(f"f(key=lambda {name}: {body})"), cst.Call).args[0]
    return substitute(spot, call.with_changes(args=[*call.args, argument]))


def _fresh_name(spot: Spot) -> str:
    return next(name for name in ("item", "entry", "element", "candidate_item") if name not in spot.scope)


def _signed(context: Context, text: str) -> str:
    return text if context.rng.random() < 0.5 else f"-{text}"


def _tuple_key(context: Context, spot: Spot, node: cst.Tuple) -> Edit | None:
    """Reorder, negate, drop or replace an element of the key (a, b, ...)."""
    texts = [text_of(element.value) for element in node.elements]
    place = context.rng.randrange(len(texts))
    change: Callable[[], None] = context.pick(
        [
            lambda: texts.insert(0, texts.pop()),
            lambda: texts.__setitem__(place, _flipped(texts[place])),
            lambda: texts.__delitem__(place),
        ]
    )
    change()
    if not texts:
        return None
    text = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    return substitute(spot, cst.parse_expression(text))


def _flipped(text: str) -> str:
    return text_of(_negated(cst.parse_expression(text)))


def _slice(context: Context) -> Edit | None:
    """Move, add or drop a bound of a slice."""
    slices = [spot for spot in context.program.sites.slices if spot.allowed]
    if not slices:
        return None
    spot = context.pick(slices)
    node = cst.ensure_type(spot.node, cst.Slice)
    bound = context.pick(["lower", "upper"])
    old = node.lower if bound == "lower" else node.upper
    dropped = old is not None and context.rng.random() < 0.3
    changed = node.with_changes(**{bound: None if dropped else _moved_bound(context, old)})
    return Edit(spot.replaced(changed), f"[{text_of(node)}] -> [{text_of(changed)}]")


def _moved_bound(context: Context, old: cst.BaseExpression | None) -> cst.BaseExpression:
    if old is None:
        return cst.parse_expression(context.pick(["1", "2", "-1", "4"]))
    return cst.parse_expression(context.pick([f"{operand(old)} + 1", f"{operand(old)} // 2", f"{operand(old)} * 2"]))


OPERATORS = [
    Operator("direction", 1.0, _direction),
    Operator("key", 1.5, _key),
    Operator("slice", 0.5, _slice),
]
