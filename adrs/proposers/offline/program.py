"""A parsed policy with the places where it can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import libcst as cst

from adrs.evaluation.interface import Interface
from adrs.proposers.offline.declarations import Declarations, declarations_of
from adrs.proposers.offline.inference import Inference
from adrs.proposers.offline.kinds import Kind
from adrs.proposers.offline.regions import permission
from adrs.proposers.offline.scan import Scanner, Sites
from adrs.proposers.offline.spots import Spot


@dataclass(frozen=True)
class Program:
    module: cst.Module
    source: str
    interface: Interface
    declared: Declarations
    sites: Sites
    inference: Inference

    def kind(self, spot: Spot) -> Kind:
        """The kind of the expression at a spot."""
        assert isinstance(spot.node, cst.BaseExpression)
        return self.inference.kind(spot.node, spot.scope)

    def expressions(self) -> list[Spot]:
        """The expressions that may be changed."""
        return [spot for spot in self.sites.expressions if spot.allowed]

    def statements(self) -> list[Spot]:
        """The statements inside of functions that may be changed."""
        return [spot for spot in self.sites.statements if spot.allowed and spot.function]

    def functions(self) -> dict[str, Spot]:
        return {name: spot for name, spot in self.sites.functions.items() if spot.allowed}


@lru_cache(maxsize=32)
def parse(source: str, interface: Interface) -> Program:
    """Parse a source that is valid Python. Programs are immutable and cached, for parents come again and again.

    Raises:
        libcst.ParserSyntaxError: it does not parse.
    """
    module = cst.parse_module(source)
    declared = declarations_of(interface.text)
    scanner = Scanner(declared, permission(module, source))
    return Program(module, source, interface, declared, scanner.scan(module), scanner.inference)
