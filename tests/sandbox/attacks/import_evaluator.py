# expect: denied
"""Imports the simulator, by name and through finders of its own."""

import importlib
import importlib.machinery
import sys

import adrs
import numpy


def choose(queue, history):
    sys.path[:] = [*adrs.__path__, *(path + "/.." for path in adrs.__path__), *(p + "/.." for p in numpy.__path__), "."]
    sys.path_importer_cache.clear()
    sys.path_hooks.append(importlib.machinery.FileFinder.path_hook((importlib.machinery.SourceFileLoader, [".py"])))
    importlib.invalidate_caches()
    refused = None
    for name in (
        "machine",
        "tests.sandbox.machine",
        "evaluators",
        "evaluators.moe",
        "adrs.sandbox.referee",
        "adrs.evolution",
    ):
        try:
            raise AssertionError(f"LEAK {importlib.import_module(name)}")
        except ImportError as error:
            refused = error
    raise refused
