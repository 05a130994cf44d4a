# expect: crash memory timeout
"""Overflows the C stack."""

import sys

sys.setrecursionlimit(10**9)


def choose(queue, history):
    return eval("+".join(["choose(queue, history)"] * 2))
