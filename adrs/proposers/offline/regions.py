"""EVOLVE-BLOCK regions: if a source marks any, only the lines between the markers may change."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

START, END = "# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"


def has_regions(source: str) -> bool:
    return START in source


def editable_lines(source: str) -> list[range]:
    """1-based line numbers between the markers; a region that is not closed runs to the end."""
    regions: list[range] = []
    start: int | None = None
    lines = source.splitlines()
    for number, line in enumerate(lines, 1):
        if start is None and line.strip().startswith(START):
            start = number
        elif start is not None and line.strip().startswith(END):
            regions.append(range(start + 1, number))
            start = None
    if start is not None:
        regions.append(range(start + 1, len(lines) + 1))
    return regions


def fixed_text(source: str) -> list[str]:
    """What must stay as it is: the stretches of text outside of the regions, markers included."""
    inside = [line for region in editable_lines(source) for line in region]
    stretches, stretch, lines = [], [], source.splitlines()
    for number, line in enumerate(lines, 1):
        if number not in inside:
            stretch.append(line)
        if line.strip().startswith(START):
            stretches.append("\n".join(stretch))
            stretch = []
    return [*stretches, "\n".join(stretch)]


def permission(module: cst.Module, source: str) -> Callable[[cst.CSTNode], bool]:
    """A test of whether a statement of the module lies inside of a region (always, without markers)."""
    if not has_regions(source):
        return lambda node: True
    regions = editable_lines(source)
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)

    def inside(node: cst.CSTNode) -> bool:
        where = positions[node]
        return any(where.start.line in region and where.end.line in region for region in regions)

    return inside
