"""The interface as code: the module that policies import, and the types of what crosses the wall at each call."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec
import numpy as np

from adrs.evaluation.interface import Function, Interface

MODULE = "interface"


@dataclass(frozen=True)
class Method:
    """A function of the interface called with its first `len(parameters)` arguments; `Any` where it annotates none."""

    function: str
    parameters: tuple[Any, ...]
    answer: Any

    @property
    def arguments(self) -> Any:
        """The tuple type of the arguments."""
        return types.GenericAlias(tuple, self.parameters)


class ContractError(Exception):
    """The interface's text does not run, or annotates with types that cannot cross the wall."""


def load(interface: Interface) -> tuple[Method, ...]:
    """Run the interface's text as the module `interface`; every way to call its functions, in a fixed order.

    Raises:
        ContractError: see there.
    """
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    try:
        exec(compile(interface.text, f"{MODULE}.py", "exec"), module.__dict__)
        return tuple(method for function in interface.functions for method in _methods(module, function))
    except Exception as error:
        raise ContractError(f"the interface does not run: {type(error).__name__}: {error}") from error


def _methods(module: types.ModuleType, function: Function) -> Iterator[Method]:
    hints = get_type_hints(module.__dict__[function.name], include_extras=True)
    parameters = tuple(hints.get(name, Any) for name in function.parameters)
    _check_types((*parameters, hints.get("return", Any)), function.name)
    for count in range(function.required, len(parameters) + 1):
        yield Method(function.name, parameters[:count], hints.get("return", Any))


def _check_types(annotations: tuple[Any, ...], function: str) -> None:
    """Raises TypeError for a type that msgspec does not know and that is no array."""
    pending: list[object] = list(msgspec.inspect.multi_type_info(annotations))
    seen: set[int] = set()
    while pending:
        part = pending.pop()
        if isinstance(part, msgspec.inspect.CustomType) and part.cls is not np.ndarray:
            raise TypeError(f"{function}: a value of type {part.cls.__name__} cannot cross the wall")
        if isinstance(part, (list, tuple)):
            pending.extend(part)
        elif isinstance(part, msgspec.Struct) and id(part) not in seen:
            seen.add(id(part))
            pending.extend(msgspec.structs.astuple(part))
