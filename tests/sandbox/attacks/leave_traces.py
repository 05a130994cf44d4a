# expect: ok
"""Registers for whatever may run later: exits, forks, finalizers, audit hooks, tracing."""

import atexit
import gc
import os
import sys


def later(*arguments):
    while True:
        pass


class Finalizer:
    def __del__(self):
        later()


atexit.register(later)
os.register_at_fork(before=later, after_in_child=later, after_in_parent=later)
gc.callbacks.append(lambda *arguments: None)
sys.modules["random"] = sys.modules["math"] = sys.modules["interface"] = Finalizer()


def choose(queue, history):
    return 0
