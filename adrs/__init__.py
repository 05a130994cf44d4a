"""ADRS: discover better scheduling algorithms with an evolutionary loop, scored by simulators behind a wall.

    import adrs

    result = adrs.evolve("moe_placement", budget=adrs.Budget(candidates=200))
    frames = adrs.open_archive(result.run).to_pandas()

Importing this package imports nothing else: each name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adrs.archive.locate import find_run, list_runs, open_archive
    from adrs.assess import check, evaluate, verify
    from adrs.errors import AdrsError, InputError
    from adrs.problem import Budget, Problem
    from adrs.problem_file import load_problem
    from adrs.runs import evolve, resume, stop
    from adrs.session import Options, Result

__all__ = [
    "AdrsError", "Budget", "InputError", "Options", "Problem", "Result", "check", "evaluate", "evolve", "find_run",
    "list_runs", "load_problem", "open_archive", "resume", "stop", "verify",
]  # fmt: skip

_HOMES = {
    "adrs.archive.locate": ("find_run", "list_runs", "open_archive"),
    "adrs.assess": ("check", "evaluate", "verify"),
    "adrs.errors": ("AdrsError", "InputError"),
    "adrs.problem": ("Budget", "Problem"),
    "adrs.problem_file": ("load_problem",),
    "adrs.runs": ("evolve", "resume", "stop"),
    "adrs.session": ("Options", "Result"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
