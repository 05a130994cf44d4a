# expect: crash
"""Replaces builtins, for itself and whoever comes next."""

import builtins

for name in ("abs", "min", "max", "sum", "len", "sorted", "round", "range", "isinstance", "float", "int"):
    setattr(builtins, name, lambda *arguments, **keywords: 0)


def choose(queue, history):
    return 0
