"""Builds an evaluator from its name, in the referee."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import platform
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from adrs.errors import InputError
from adrs.evaluation.executor import EvaluatorSpec
from adrs.evaluation.protocol import Evaluator, TimedEvaluator

_ENTRY_POINTS = "adrs.evaluators"


def load_evaluator(spec: EvaluatorSpec) -> tuple[Evaluator, str]:
    """The evaluator and its fingerprint: over its source files, interface, options, Python and numpy.

    Raises:
        InputError: no such evaluator, or it does not take these options.
    """
    module, name = _locate(_target(spec.target), spec.target)
    if not isinstance(module.__dict__.get(name), type):
        raise InputError(f"evaluator {spec.target}: no class {name} in {module.__name__}")
    options = json.loads(spec.options_json)
    try:
        evaluator: Evaluator = module.__dict__[name](**options)
    except TypeError as error:
        raise InputError(f"evaluator {spec.target}: cannot be built with the options {options}: {error}") from error
    return evaluator, _fingerprint(module, [options, *_reference(evaluator)], evaluator.interface.text)


def _target(name: str) -> str:
    """Resolves an entry point's name; dotted paths and file paths are returned as they are."""
    if ":" in name:
        return name
    import importlib.metadata  # a tenth of a referee's start, and most problems name no entry point

    for entry_point in importlib.metadata.entry_points(group=_ENTRY_POINTS, name=name):
        return entry_point.value
    raise InputError(
        f"evaluator {name}: no such entry point in {_ENTRY_POINTS}; expected `package.module:Class`, `/file.py:Class` "
        "or the name of an installed plug-in"
    )


def _locate(target: str, name: str) -> tuple[ModuleType, str]:
    path, _, attribute = target.rpartition(":")
    try:
        return (_from_file(Path(path)) if path.endswith(".py") else importlib.import_module(path)), attribute
    except (FileNotFoundError, ModuleNotFoundError) as error:
        raise InputError(f"evaluator {name}: cannot be imported: {error}") from error


def _from_file(path: Path) -> ModuleType:
    """Import one file, which may import its neighbours."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = f"adrs_evaluator_{path.stem}"  # a file called queue.py must not pass for the standard library's
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def _reference(evaluator: Evaluator) -> list[Any]:
    """What times are measured against: its source may lie outside of the evaluator's package."""
    if not isinstance(evaluator, TimedEvaluator):
        return []
    reference = evaluator.reference
    return [reference.source, reference.workload.hash, reference.seconds]


def _fingerprint(module: ModuleType, given: list[Any], interface: str) -> str:
    """16 hex digits. Of a package, all its files count, tables of data too; of a single file, it and what it imports
    of its neighbours.

    `given` and the interface count apart: a single file reads its own without importing it.
    """
    settings = [*given, platform.python_version(), np.__version__, interface]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(_files(module)):
        digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(module: ModuleType) -> set[Path]:
    file = Path(str(module.__file__)).resolve()
    if module.__package__:
        return {path for path in file.parent.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {file} | {path for path in _loaded_files() if path.parent == file.parent}


def _loaded_files() -> set[Path]:
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    origins = [module.__spec__.origin for module in modules if module.__spec__]
    return {Path(origin).resolve() for origin in origins if origin and origin.endswith(".py")}
