"""Crossover between members of the archive: whole functions, single statements and expressions."""

from __future__ import annotations

import libcst as cst

from adrs.proposers.offline.names import use_of
from adrs.proposers.offline.operators.base import Context, Edit, Operator, shortened, substitute
from adrs.proposers.offline.operators.growth import numeric_kind
from adrs.proposers.offline.operators.modules import before_function
from adrs.proposers.offline.operators.statements import insertable, movable
from adrs.proposers.offline.program import Program, parse
from adrs.proposers.offline.spots import Spot, text_of


def _mate(context: Context) -> Program | None:
    others = [source for source in context.mates if source != context.program.source]
    return parse(context.pick(others), context.program.interface) if others else None


def _function(context: Context) -> Edit | None:
    """Take a function of the same name from the mate, with what it needs at module level."""
    mate = _mate(context)
    if mate is None:
        return None
    ours, theirs = context.program.functions(), mate.sites.functions
    names = [name for name in ours if name in theirs and text_of(ours[name].node) != text_of(theirs[name].node)]
    if not names:
        return None
    name = context.pick(names)
    taken = theirs[name].node.with_changes(
        leading_lines=cst.ensure_type(ours[name].node, cst.FunctionDef).leading_lines
    )
    module = _with_needed(context.program, mate, taken, ours[name].replaced(taken), name)
    return Edit(module, f"take {name}() from a mate")


def _with_needed(program: Program, mate: Program, taken: cst.CSTNode, module: cst.Module, function: str) -> cst.Module:
    """Add in front of the function what `taken` needs of the mate's module level and ours lacks, transitively."""
    defined = _defined(program)
    available = _definitions(mate)
    needed: dict[str, cst.BaseStatement | cst.SimpleStatementLine] = {}
    pending = sorted(use_of(taken).reads)
    while pending:
        name = pending.pop(0)
        if name in available and name not in defined and name not in needed:
            needed[name] = available[name]
            pending += sorted(use_of(available[name]).reads)
    unique = {id(node): node for node in mate.module.body if any(node is other for other in needed.values())}
    return before_function(module, function, list(unique.values()))


def _defined(program: Program) -> set[str]:
    return set(_definitions(program))


def _definitions(program: Program) -> dict[str, cst.BaseStatement | cst.SimpleStatementLine]:
    """Module-level name -> the statement that binds it."""
    found: dict[str, cst.BaseStatement | cst.SimpleStatementLine] = {}
    for node in program.module.body:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            found[node.name.value] = node
        elif isinstance(node, cst.SimpleStatementLine):
            found.update(dict.fromkeys(sorted(_bound(node)), node))
    return found


def _bound(line: cst.SimpleStatementLine) -> set[str]:
    names = set(use_of(line).writes)
    for small in line.body:
        if isinstance(small, cst.Import | cst.ImportFrom) and not isinstance(small.names, cst.ImportStar):
            for alias in small.names:
                names.add(text_of(alias.asname.name if alias.asname is not None else alias.name).split(".")[0])
    return names


def _statement(context: Context) -> Edit | None:
    """Take a statement that we lack from the mate's function of the same name, to about the same place."""
    mate = _mate(context)
    if mate is None:
        return None
    known = {text_of(spot.node).strip() for spot in context.program.sites.statements}
    lacking = [s for s in mate.statements() if movable(s) and text_of(s.node).strip() not in known]
    options = [(theirs, ours) for theirs in lacking for ours in _places(context, theirs, mate)]
    if not options:
        return None
    theirs, ours = context.pick(options)
    node = theirs.node.with_changes(leading_lines=[])
    same_target = use_of(ours.node).writes == use_of(node).writes and context.rng.random() < 0.5
    module = ours.spliced([node] if same_target and movable(ours) else [node, ours.node])
    if ours.function not in context.program.sites.functions:
        return None
    return Edit(
        _with_needed(context.program, mate, node, module, ours.function), f"take {shortened(text_of(node))} from a mate"
    )


def _places(context: Context, theirs: Spot, mate: Program) -> list[Spot]:
    """Our statements near the same place of the same function, where all local names that it reads are bound."""
    reads = use_of(theirs.node).reads & theirs.scope.keys() - mate.sites.functions[theirs.function].scope.keys()
    return [
        ours
        for ours in context.program.statements()
        if ours.function == theirs.function
        and _is_near(ours, theirs)
        and insertable(ours)
        and reads <= ours.scope.keys()
    ]


def _is_near(ours: Spot, theirs: Spot) -> bool:
    assert ours.index is not None and theirs.index is not None
    return ours.depth == theirs.depth and abs(ours.index - theirs.index) <= 1


def _expression(context: Context) -> Edit | None:
    """Put an expression of the mate where one of the same kind stands and all its names are bound."""
    mate = _mate(context)
    if mate is None:
        return None
    foreign = Context(mate, context.rng, context.steps)
    known = {text_of(spot.node) for spot in context.program.sites.expressions}
    theirs = [
        (s, kind) for s in mate.expressions() if (kind := numeric_kind(foreign, s)) and text_of(s.node) not in known
    ]
    if not theirs:
        return None
    spot, kind = context.pick(theirs)
    reads = use_of(spot.node).reads
    ours = [s for s in context.program.expressions() if numeric_kind(context, s) == kind and reads <= s.scope.keys()]
    if not ours:
        return None
    place = context.pick(ours, [4.0 if s.role == spot.role and s.function == spot.function else 1.0 for s in ours])
    assert isinstance(spot.node, cst.BaseExpression)
    return substitute(place, spot.node)


OPERATORS = [
    Operator("crossover-function", 1.0, _function),
    Operator("crossover-statement", 1.0, _statement),
    Operator("crossover-expression", 1.0, _expression),
]
