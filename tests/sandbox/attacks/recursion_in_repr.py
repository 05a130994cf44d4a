# expect: crash
"""Overflows the C stack outside of Python functions."""


def choose(queue, history):
    nested = []
    for _ in range(10**5):
        nested = [nested]
    return len(repr(nested))
