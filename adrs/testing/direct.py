"""Run a trusted policy in the same process, for unit tests of simulators. No wall: never for candidates."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


class DirectPolicy:
    """Implements `adrs.evaluation.protocol.Policy` over the functions of a module or a mapping.

    As across the wall, arguments and answers are copies; unlike there, their types are not checked.
    """

    def __init__(self, functions: ModuleType | Mapping[str, Callable[..., Any]]) -> None:
        self.seconds = 0.0
        self._functions = vars(functions) if isinstance(functions, ModuleType) else functions

    @classmethod
    def from_source(cls, source: str) -> DirectPolicy:
        """Executes the text, which may not import from `interface`."""
        namespace: dict[str, Any] = {"__name__": "policy"}
        exec(compile(source, "policy.py", "exec"), namespace)
        return cls(namespace)

    def call(self, function: str, *arguments: Any) -> Any:
        """Raises KeyError when there is no such function, and whatever it raises."""
        copies = copy.deepcopy(arguments)
        started = time.perf_counter()
        answer = self._functions[function](*copies)
        self.seconds += time.perf_counter() - started
        return copy.deepcopy(answer)
