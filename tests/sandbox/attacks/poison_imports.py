# expect: crash
"""Replaces the import system and then imports."""

import builtins
import sys


class Finder:
    def find_spec(self, name, path=None, target=None):
        raise RuntimeError("poisoned")


sys.meta_path.insert(0, Finder())
builtins.__import__ = None
import nothing  # noqa
