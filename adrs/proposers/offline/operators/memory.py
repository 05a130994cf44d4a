"""Memory between calls: forecasts from earlier inputs, and answers that are kept while the input stays close."""

from __future__ import annotations

import re

import libcst as cst

from adrs.proposers.offline.kinds import Kind
from adrs.proposers.offline.numbers import as_text
from adrs.proposers.offline.operators.base import Context, Edit, Operator
from adrs.proposers.offline.operators.modules import at_top, before_function, inner_block, unused_name
from adrs.proposers.offline.spots import Spot, text_of

_LAST = "{before} = {memory}.get({x}.shape, {x})"  # the last input, or for `average` and `peak` what was made of it
_FORECASTS = {
    "average": (_LAST, "{x} = {before} + {c} * ({x} - {before})", "{memory}[{x}.shape] = {x}.copy()"),
    "peak": (_LAST, "{x} = {np}.maximum({x}, {c} * {before})", "{memory}[{x}.shape] = {x}.copy()"),
    "highest": (_LAST, "{memory}[{x}.shape] = {x}", "{x} = {np}.maximum({x}, {c} * {before})"),
    "trend": (_LAST, "{memory}[{x}.shape] = {x}", "{x} = {np}.maximum({x} + {c} * ({x} - {before}), 0.0)"),
    "margin": (_LAST, "{memory}[{x}.shape] = {x}", "{x} = {x} + {c} * {np}.abs({x} - {before})"),
    "recall": (  # what followed the most similar input, as far as any was more similar than the last
        "{before} = {memory}.setdefault({x}.shape, [])",
        "{before}[:] = [*{before}[-31:], {x}]",
        "distances = [{np}.abs({x} - other).sum() for other in {before}[:-1]]",
        "if distances:\n    {x} = {x} + {c} * ({before}[int({np}.argmin(distances)) + 1] - {x})",
    ),
}


def _forecast(context: Context) -> Edit | None:
    """Replace an array that enters an interface function by a blend with what entered it before."""
    options = [
        (function, name, way)
        for function in _interface_functions(context)
        for name in _arrays(context, function)
        for way, forms in _FORECASTS.items()
        if (way == "average" or _numpy(function)) and not _is_used(forms, name, context.program.source)
    ]
    if not options:
        return None
    function, name, way = context.pick(options)
    memory = unused_name(f"_recent_{name}", context.program.source)
    before = unused_name(f"earlier_{name}", context.program.source)
    share = as_text(round(context.rng.uniform(0.1, 0.9), 2))
    values = {"x": name, "before": before, "memory": memory, "np": _numpy(function), "c": share}
    lines = [form.format(**values) for form in _FORECASTS[way]]
    changed = function.replaced(at_top(function, [cst.parse_statement(line) for line in lines]))
    owner = cst.ensure_type(function.node, cst.FunctionDef).name.value
    return Edit(before_function(changed, owner, [_empty(memory)]), f"{way} of {name} over calls")


def _is_used(forms: tuple[str, ...], name: str, source: str) -> bool:
    """Whether the same forecast is in place: a second one hardly changes anything."""
    marks = {"x": name, "before": "BEFORE", "memory": "MEMORY", "np": "NP", "c": "SHARE"}
    pattern = re.escape(_one_line(" ".join(form.format(**marks) for form in forms[1:])))
    for mark, value in (("BEFORE", r"\w+"), ("MEMORY", r"\w+"), ("NP", r"\w+"), ("SHARE", r"[\d.e+-]+")):
        pattern = pattern.replace(mark, value)
    return re.search(pattern, _one_line(source)) is not None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _empty(name: str) -> cst.SimpleStatementLine:
    return cst.ensure_type(cst.parse_statement(f"{name} = {{}}"), cst.SimpleStatementLine)


def _interface_functions(context: Context) -> list[Spot]:
    functions = context.program.functions()
    return [
        functions[name]
        for name in context.program.interface.names
        if name in functions and inner_block(functions[name])
    ]


def _parameters(context: Context, function: Spot) -> dict[str, Kind]:
    """The function's own parameter names with the kinds that the interface declares."""
    node = cst.ensure_type(function.node, cst.FunctionDef)
    declared = context.program.declared.parameters.get(node.name.value, {})
    own = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
    by_place = dict(zip(own, declared.values(), strict=False))
    return {name: declared.get(name, kind) for name, kind in by_place.items()}


def _arrays(context: Context, function: Spot) -> list[str]:
    kinds = _parameters(context, function)
    return [name for name, kind in kinds.items() if kind.base == "array" and not kind.optional]


def _numpy(spot: Spot) -> str:
    return next((n for n, kind in spot.scope.items() if kind.base == "module" and kind.name == "numpy"), "")


def _keep(context: Context) -> Edit | None:
    """Answer as before while an array input differs little from the one that the answer was made for."""
    inputs = [(function, name) for function in _interface_functions(context) for name in _arrays(context, function)]
    inputs = [(function, name) for function, name in inputs if _numpy(function)]
    if not inputs:
        return None
    function, name = context.pick(inputs)
    node = cst.ensure_type(function.node, cst.FunctionDef)
    planner = unused_name(f"_plan_{node.name.value}", context.program.source)
    answers = unused_name(f"_answers_{node.name.value}", context.program.source)
    threshold = as_text(round(context.rng.uniform(0.02, 0.3), 3))
    keeper = _keeper(node, name, _parameters(context, function), planner, answers, threshold, _numpy(function))
    renamed = node.with_changes(name=cst.Name(planner))
    module = function.spliced([renamed, keeper.with_changes(leading_lines=[cst.EmptyLine(indent=False)] * 2)])
    note = f"keep the answer while {name} moves by less than {threshold}"
    return Edit(before_function(module, planner, [_empty(answers)]), note)


def _keeper(
    node: cst.FunctionDef, name: str, kinds: dict[str, Kind], planner: str, answers: str, threshold: str, numpy: str
) -> cst.FunctionDef:
    """A function of the same signature that calls the planner when the array `name` has moved."""
    header = node.with_changes(leading_lines=[], decorators=[], body=cst.SimpleStatementSuite([cst.Pass()]))
    key = ", ".join([f"{name}.shape", *(p for p, kind in kinds.items() if kind.base in ("int", "str", "bool"))])
    text = (
        f"{text_of(header).strip().removesuffix('pass').rstrip()}\n"
        f"    key = ({key},)\n"
        f"    known = {answers}.get(key)\n"
        f"    if known is None or {numpy}.abs({name} - known[0]).sum() > {threshold} * {numpy}.abs(known[0]).sum():\n"
        f"        known = {answers}[key] = ({name}, {planner}({', '.join(kinds)}))\n"
        f"    return known[1]\n"
    )
    return cst.ensure_type(cst.parse_statement(text), cst.FunctionDef)


OPERATORS = [
    Operator("forecast", 2.0, _forecast),
    Operator("keep", 1.0, _keep),
]
