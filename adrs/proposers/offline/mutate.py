"""One proposal as a pure function: the same task gives the same child, in any process."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import libcst as cst

from adrs.evaluation.interface import Interface
from adrs.proposers.offline.check import objection
from adrs.proposers.offline.operators import OPERATORS, Context
from adrs.proposers.offline.program import parse

_TRIES = 20
_MORE = 0.35  # chance of a further mutation after each, up to three
_MOST = 3


@dataclass(frozen=True)
class Task:
    source: str
    mates: tuple[str, ...]
    interface: Interface
    source_kb: int
    seed: int
    weights: Mapping[str, float] = field(default_factory=dict)  # operator -> chance, relative
    steps: Mapping[str, float] = field(default_factory=dict)  # class of constants -> step size


@dataclass(frozen=True)
class Change:
    operator: str
    note: str
    step: str = ""


@dataclass(frozen=True)
class Result:
    """`source` is None when no try gave a child; `error` then says what spoke against the last one."""

    source: str | None
    changes: tuple[Change, ...] = ()
    error: str = ""


class _NoChild(Exception):
    """This try came to nothing."""


def mutate(task: Task) -> Result:
    """Mutate the source, again with the same generator until a child passes the static checks."""
    rng = random.Random(task.seed)
    reason = ""
    for _ in range(_TRIES):
        try:
            return _attempt(task, rng)
        except _NoChild as error:
            reason = str(error)
        except cst.ParserSyntaxError as error:
            reason = error.message
        except cst.CSTValidationError as error:
            reason = str(error)
    return Result(None, error=f"no valid child in {_TRIES} tries; the last one: {reason}")


def _attempt(task: Task, rng: random.Random) -> Result:
    source, changes = task.source, []
    while True:
        source, change = _step(task, source, rng)
        changes.append(change)
        if len(changes) == _MOST or rng.random() >= _MORE:
            break
    reason = objection(source, task.source, task.interface, task.source_kb)
    if reason:
        raise _NoChild(reason)
    return Result(source, tuple(changes))


def _step(task: Task, source: str, rng: random.Random) -> tuple[str, Change]:
    """Apply one operator, drawn by weight among those that find a place."""
    context = Context(parse(source, task.interface), rng, task.steps, task.mates)
    names = list(OPERATORS)
    while names:
        name = rng.choices(names, [task.weights.get(name, OPERATORS[name].prior) for name in names])[0]
        edit = OPERATORS[name].apply(context)
        child = source if edit is None else edit.module.code
        if edit is not None and child != source:
            return child, Change(name, edit.note, edit.step)
        names.remove(name)
    raise _NoChild("no operator finds a place to change")
