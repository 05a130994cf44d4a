"""The operators of the offline proposer, by name. To add one, write it in a module here and list the module below."""

from __future__ import annotations

from adrs.proposers.offline.operators import (
    constants,
    control,
    crossover,
    growth,
    memory,
    selection,
    statements,
    swaps,
)
from adrs.proposers.offline.operators.base import Context, Edit, Operator

_MODULES = (constants, swaps, selection, statements, control, growth, memory, crossover)
OPERATORS: dict[str, Operator] = {operator.name: operator for module in _MODULES for operator in module.OPERATORS}

__all__ = ["OPERATORS", "Context", "Edit", "Operator"]
