"""What an expression's value is for, told from the place it stands in."""

from __future__ import annotations

import libcst as cst

from adrs.proposers.offline.spots import Spot

RANKING = {"argmin", "argmax", "argsort", "sorted", "argpartition", "partition", "nlargest", "nsmallest", "heappush",
           "heappushpop", "heapreplace", "insort", "lexsort"}  # fmt: skip
_SHAPING = {
    "zeros",
    "ones",
    "empty",
    "full",
    "range",
    "arange",
    "reshape",
    "repeat",
    "tile",
    "broadcast_to",
    "expand_dims",
}
_RIGID_KEYWORDS = {"axis", "dtype", "kind", "keepdims", "reverse", "shape", "copy", "order", "minlength"}


def called_name(call: cst.Call) -> str:
    """`argmin` of both `np.argmin(...)` and `loads.argmin(...)`."""
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return call.func.value if isinstance(call.func, cst.Name) else ""


def role_of(spot: Spot) -> str:
    """The role of a node whose `role` is still that of its parent."""
    parent = spot.parent
    assert parent is not None
    match parent.node:
        case cst.Call():
            return _in_call(parent.node, spot)
        case cst.Arg():
            return spot.role
        case cst.Attribute():
            return "key" if spot.role == "key" else "object"
        case cst.Subscript():
            return "object" if spot.field == "value" else "index"
        case cst.Comparison() | cst.ComparisonTarget():
            return "index" if spot.role == "index" else "compared"
        case cst.IfExp() if spot.field == "test":
            return "condition"
        case cst.CompFor() | cst.For():
            return {"iter": "iter", "target": "target"}.get(spot.field, "value")
        case cst.CompIf():
            return "condition"
        case cst.Lambda():
            return "key"
        case cst.AssignTarget() | cst.Assign() | cst.AugAssign() if spot.field == "target":
            return "target"
        case cst.ListComp() | cst.GeneratorExp() | cst.SetComp() | cst.DictComp():
            return "value"
    return spot.role


def _in_call(call: cst.Call, spot: Spot) -> str:
    name = called_name(call)
    if spot.field == "func":
        # in `loads.argmin()`, the object is what ranks
        return "key" if name in RANKING and isinstance(call.func, cst.Attribute) and not call.args else "callee"
    argument = cst.ensure_type(spot.node, cst.Arg)
    keyword = argument.keyword.value if argument.keyword is not None else ""
    if keyword in _RIGID_KEYWORDS or name in _SHAPING:
        return "index"
    if keyword == "key":
        return "key"
    if name in RANKING:
        return "key" if spot.index == 0 or name.startswith(("heap", "insort")) else "index"
    return "value" if spot.role != "index" else "index"
