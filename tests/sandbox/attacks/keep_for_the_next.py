# expect: ok
"""Hides a text in memory for a candidate after it, and looks for one that was left."""

import builtins
import sys


def choose(queue, history):
    assert len(history) or not hasattr(builtins, "left_behind"), "LEAK"
    builtins.left_behind = sys.left_behind = "candidate-canary-564738"
    return 0
