"""The parts of a prompt as text."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping

from adrs.proposers.base import Brief, Candidate

_ROWS = 24  # of the table of workloads
_DIFF_LINES = 40  # of a failure
_MESSAGE_CHARS = 600


def problem(brief: Brief, description_chars: int) -> str:
    """Title, description (cut to a length), interface and objective."""
    description = brief.description.strip()
    if len(description) > description_chars:
        description = description[:description_chars].rstrip() + "\n[the description goes on]"
    interface = fenced(brief.interface.text.strip())
    return (
        f"## Problem: {brief.title}\n\n{description}\n\n"
        f"## Interface\n\n{interface}\n\n## Objective\n\n{brief.objective}"
    )


def parent(candidate: Candidate) -> str:
    """The policy to improve, with all that is known of its score."""
    parts = [f"## Current policy (candidate {candidate.id})", f"Score: {_number(candidate.score)}"]
    if candidate.metrics:
        metrics = (f"- {name}: {_number(value)}" for name, value in sorted(candidate.metrics.items()))
        parts.append("Metrics, mean over the workloads:\n" + "\n".join(metrics))
    if candidate.scores:
        parts.append(_table(candidate))
    parts.append(fenced(candidate.source))
    return "\n\n".join(parts)


def relative(candidate: Candidate, current: Candidate) -> tuple[str, ...]:
    """Another policy, from the fullest text to the shortest: whole, as a diff against the current one, in a line."""
    head = f"### Candidate {candidate.id}: score {_number(candidate.score)}{_comparison(candidate, current)}"
    if summary := _summary(candidate):
        head += f"\nIdea: {summary}"
    whole = f"{head}\n\n{fenced(candidate.source)}"
    change = fenced(diff(current.source, candidate.source), "diff")
    as_diff = f"{head}\nAs a diff from the current policy:\n\n{change}"
    return (whole, as_diff, head) if len(as_diff) < len(whole) else (whole, head)


def failure(candidate: Candidate, current: Candidate) -> tuple[str, ...]:
    """A policy that failed: with its change where that is small and was made to the current policy, then without."""
    message = " ".join(candidate.error.split())[:_MESSAGE_CHARS]
    head = f"### Candidate {candidate.id} ended as `{candidate.status}`: {message or 'no message'}"
    if summary := _summary(candidate):
        head += f"\nIdea: {summary}"
    change = diff(current.source, candidate.source) if candidate.parents[:1] == (current.id,) else ""
    if change and change.count("\n") <= _DIFF_LINES:
        return f"{head}\nIts change to the current policy:\n\n{fenced(change, 'diff')}", head
    return (head,)


def fenced(text: str, language: str = "python") -> str:
    """A code fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def diff(old: str, new: str) -> str:
    """A unified diff with two lines of context, without its file names."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return "\n".join(list(lines)[2:])


def _table(candidate: Candidate) -> str:
    """Workloads with score and bound, those furthest from their bound first."""
    names = sorted(candidate.scores, key=lambda name: (-_room(candidate, name), candidate.scores[name], name))
    rows = [
        f"| {name} | {_number(candidate.scores[name])} | {_number(candidate.bounds.get(name))} |"
        for name in names[:_ROWS]
    ]
    if len(names) > _ROWS:
        rest = [candidate.scores[name] for name in names[_ROWS:]]
        rows.append(f"| mean of {len(rest)} others | {_number(sum(rest) / len(rest))} | |")
    head = "Scores by workload, with the bound that no policy can exceed where one is known:\n"
    return "\n".join([head, "| workload | score | bound |", "| --- | --- | --- |", *rows])


def _room(candidate: Candidate, name: str) -> float:
    bound = candidate.bounds.get(name)
    return 0.0 if bound is None else bound - candidate.scores[name]


def _comparison(candidate: Candidate, current: Candidate) -> str:
    """Where it is better and worse than the current policy."""
    both = candidate.scores.keys() & current.scores.keys()
    gains = {name: candidate.scores[name] - current.scores[name] for name in sorted(both)}
    better = _largest({name: gain for name, gain in gains.items() if gain > 0})
    worse = _largest({name: gain for name, gain in gains.items() if gain < 0})
    return "".join(f"; {word} on {names}" for word, names in (("better", better), ("worse", worse)) if names)


def _largest(gains: Mapping[str, float]) -> str:
    ranked = sorted(gains, key=lambda name: -abs(gains[name]))
    return ", ".join(f"{name} ({gains[name]:+.4g})" for name in ranked[:3])


def _summary(candidate: Candidate) -> str:
    summary = candidate.notes.get("summary")
    return summary if isinstance(summary, str) else ""


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)
