# expect: denied
"""Looks for the evaluator, the problems and the published baselines near everything that is installed."""

import os
import sys

import adrs
import numpy


def roots():
    for file in (numpy.__file__, adrs.__file__):
        folder = os.path.dirname(file)
        for _ in range(4):
            folder = os.path.dirname(folder)
            yield folder
    yield from (sys.prefix, sys.base_prefix, os.environ.get("PYTHONPATH", "/"), "/", "/root", "/home", "/tmp")


def choose(queue, history):
    refused = None
    os.closerange(0, 3)  # makes room under the limit of open files
    for root in roots():
        for name in (
            "tests/sandbox/machine.py",
            "evaluators/__init__.py",
            "adrs/_catalogue/problems",
            "pyproject.toml",
            "seeds/moe_placement/greedy.py",
            "problems/moe_placement.yaml",
            "etc/passwd",
        ):
            try:
                with open(os.path.join(root, name)) as file:
                    raise AssertionError("LEAK " + file.read()[-300:])
            except OSError as error:
                refused = error
    raise refused
