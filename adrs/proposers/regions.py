"""EVOLVE-BLOCK regions: what a model may change of a file that marks them.

Lines between `# EVOLVE-BLOCK-START` and `# EVOLVE-BLOCK-END` may change; all others, the markers among them, stay
byte-identical.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

_START = re.compile(r"^\s*#\s*EVOLVE-BLOCK-START\b")
_END = re.compile(r"^\s*#\s*EVOLVE-BLOCK-END\b")


class OutsideChanged(Exception):
    """A text does not fit around the regions; the message says where."""


@dataclass(frozen=True)
class Regions:
    """A file cut at its markers: `fixed` has one part more than `inside`; both are lists of lines."""

    fixed: tuple[tuple[str, ...], ...]
    inside: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, source: str) -> Regions | None:
        """The regions of a file, or None when it has no marker or they do not pair up."""
        fixed: list[tuple[str, ...]] = []
        inside: list[tuple[str, ...]] = []
        part: list[str] = []
        opened = False
        for line in source.split("\n"):
            if _START.match(line) or _END.match(line):
                if bool(_START.match(line)) == opened:
                    return None
                if opened:
                    inside.append(tuple(part))
                    part = [line]
                else:
                    fixed.append((*part, line))
                    part = []
                opened = not opened
            else:
                part.append(line)
        fixed.append(tuple(part))
        return cls(tuple(fixed), tuple(inside)) if inside and not opened else None

    def contains(self, start: int, stop: int) -> bool:
        """Whether the lines [start, stop) all lie inside one region."""
        line = 0
        for fixed, inside in zip(self.fixed, self.inside, strict=False):
            line += len(fixed)
            if line <= start and stop <= line + len(inside):
                return True
            line += len(inside)
        return False

    def same_outside(self, source: str) -> bool:
        other = Regions.of(source)
        return other is not None and other.fixed == self.fixed

    def filled(self, text: str) -> str:
        """The file with its regions taken from a whole-file reply, or from one that gives the inside alone.

        Raises:
            OutsideChanged: the text changes what is fixed, or does not say which region it is for.
        """
        given = Regions.of(text)
        if given is None:
            if marked(text):
                raise OutsideChanged("the markers do not pair up")
            return self._joined([self._inside_of(text)])
        if len(given.inside) != len(self.inside):
            raise OutsideChanged(f"{len(given.inside)} marked regions, where the current policy has {len(self.inside)}")
        for number, (ours, theirs) in enumerate(zip(self.fixed, given.fixed, strict=True)):
            _same_lines(ours, theirs, first=number == 0, last=number == len(self.inside))
        return self._joined(given.inside)

    def _inside_of(self, text: str) -> tuple[str, ...]:
        """What a text without markers puts inside the only region."""
        if len(self.inside) != 1:
            raise OutsideChanged(f"the reply has no markers, and the current policy has {len(self.inside)} regions")
        before, after = _stripped(self.fixed[0][:-1]), _stripped(self.fixed[1][1:])
        lines = _stripped(text.split("\n"))
        if before and lines[: len(before)] == before and (not after or lines[-len(after) :] == after):
            lines = _stripped(lines[len(before) : len(lines) - len(after)])  # the whole file, its markers dropped
        redefined = sorted(_definitions("\n".join(lines)) & _definitions("\n".join((*before, *after))))
        if redefined:
            raise OutsideChanged(f"`{redefined[0]}` is defined outside of the markers")
        return redent(lines, lines, self.inside[0])

    def _joined(self, inside: Sequence[Sequence[str]]) -> str:
        lines: list[str] = []
        for fixed, part in zip_longest(self.fixed, inside, fillvalue=()):
            lines += [*fixed, *part]
        return "\n".join(lines)


def redent(lines: Sequence[str], given: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The lines moved by the difference in indentation between the first lines of `given` and `wanted`."""
    have, want = _indentation(given), _indentation(wanted)
    if have == want:
        return tuple(lines)
    return tuple(want + line[len(have) :] if line.startswith(have) and line.strip() else line for line in lines)


def _indentation(lines: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    return first[: len(first) - len(first.lstrip())]


def _same_lines(ours: Sequence[str], theirs: Sequence[str], first: bool, last: bool) -> None:
    """Raises `OutsideChanged` unless both are equal but for trailing blanks and the file's outer blank lines."""
    a, b = [line.rstrip() for line in ours], [line.rstrip() for line in theirs]
    if first:
        a, b = _lstripped(a), _lstripped(b)
    if last:
        a, b = _rstripped(a), _rstripped(b)
    for mine, other in zip_longest(a, b):
        if mine != other:
            raise OutsideChanged(f"expected `{mine or ''}`, got `{other or ''}`")


def _stripped(lines: Sequence[str]) -> list[str]:
    return _rstripped(_lstripped([line.rstrip() for line in lines]))


def _lstripped(lines: list[str]) -> list[str]:
    start = next((i for i, line in enumerate(lines) if line), len(lines))
    return lines[start:]


def _rstripped(lines: list[str]) -> list[str]:
    return _lstripped(lines[::-1])[::-1]


def marked(text: str) -> bool:
    """Whether a text has any marker."""
    return any(_START.match(line) or _END.match(line) for line in text.split("\n"))


def _definitions(text: str) -> set[str]:
    """Functions and classes that a text defines at its top level; empty when it does not parse."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
