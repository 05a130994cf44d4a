"""The messages of a slot, within a budget of tokens.

What stands in a prompt: the problem's description and interface, the objective, the parent with its scores, relatives,
recent failures. Never in a prompt: the workloads' contents, the baselines, the evaluator's code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from adrs.proposers.base import Candidate, Request
from adrs.proposers.llm import sections
from adrs.proposers.llm.calls import CHARS_PER_TOKEN
from adrs.proposers.llm.directions import direction
from adrs.proposers.regions import marked

Message = dict[str, str]
_CLASSES = "The interface's data classes are imported from `interface`. "
_DESCRIPTION_SHARE = 0.3  # of the budget, at most
_QUOTED_CHARS = 24_000  # of a reply that goes back to its author


def build(request: Request, context_tokens: int) -> list[Message]:
    """System and user message of a slot; depends on nothing but the request.

    The rules, the interface and the parent are always whole. Into what the budget leaves go, by value: the best
    relative, the failures, the other relatives; each as a whole, else as a diff, else as a line, else not at all.
    """
    budget = int(context_tokens * CHARS_PER_TOKEN)
    system = _system(request)
    problem = sections.problem(request.brief, int(budget * _DESCRIPTION_SHARE))
    parent = sections.parent(request.parent)
    task = f"## Task\n\n{direction(request).text}"
    relatives, failures = _fitted(request, budget - len(system) - len(problem) - len(parent) - len(task))
    user = sections.joined(
        (
            problem,
            "## Other policies, to learn from\n\n" + sections.joined(relatives) if relatives else "",
            "## Recent failures, to avoid\n\n" + sections.joined(failures) if failures else "",
            parent,
            task,
        )
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def correction(messages: Sequence[Message], reply: str, reason: str) -> list[Message]:
    """The conversation continued: the reply that could not be used, and why."""
    quoted = reply if len(reply) <= _QUOTED_CHARS else reply[:_QUOTED_CHARS] + "\n[...]"
    text = Template(_template("correction.md")).substitute(reason=reason)
    return [
        *messages,
        {"role": "assistant", "content": quoted or "(empty)"},
        {"role": "user", "content": text.strip()},
    ]


def _system(request: Request) -> str:
    brief = request.brief
    text = Template(_template("system.md")).substitute(
        imports=", ".join(brief.interface.imports),
        classes=_CLASSES if re.search(r"^class ", brief.interface.text, re.MULTILINE) else "",
        source_kb=brief.source_kb,
        regions=_template("regions.md") if marked(request.parent.source) else "",
    )
    return text.strip()


def _fitted(request: Request, room: int) -> tuple[list[str], list[str]]:
    """Relatives and failures in the fullest forms for which there is room (in characters)."""
    current = request.parent
    relatives = [("relative", other.id) for other in _relatives(request)]
    failures = [("failure", other.id) for other in request.failures]
    forms = {("relative", other.id): sections.relative(other, current) for other in _relatives(request)}
    forms |= {("failure", other.id): sections.failure(other, current) for other in request.failures}
    chosen: dict[tuple[str, int], str] = {}
    for key in (*relatives[:1], *failures, *relatives[1:]):
        fits = next((text for text in forms[key] if len(text) + 64 <= room), None)
        if fits is not None:
            chosen[key] = fits
            room -= len(fits) + 64  # headings and blank lines
    return [chosen[key] for key in relatives if key in chosen], [chosen[key] for key in failures if key in chosen]


def _relatives(request: Request) -> list[Candidate]:
    """Mates and inspirations in their order, each text once, the parent's not at all."""
    seen = {request.parent.source}
    found = []
    for candidate in (*request.mates, *request.inspirations):
        if candidate.source not in seen:
            seen.add(candidate.source)
            found.append(candidate)
    return found


@cache
def _template(name: str) -> str:
    return files("adrs.proposers.llm").joinpath("templates", name).read_text(encoding="utf-8")
