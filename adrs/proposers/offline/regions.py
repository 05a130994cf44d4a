"""Which statements EVOLVE-BLOCK markers leave open to change."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from adrs.proposers.regions import Regions


def permission(module: cst.Module, source: str) -> Callable[[cst.CSTNode], bool]:
    """A test of whether a statement of the module lies inside of a region (always, without markers)."""
    regions = Regions.of(source)
    if regions is None:
        return lambda node: True
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)

    def inside(node: cst.CSTNode) -> bool:
        where = positions[node]
        return regions.contains(where.start.line - 1, where.end.line)

    return inside
