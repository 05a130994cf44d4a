# expect: crash
"""Calls itself without end."""


def choose(queue, history):
    return choose(queue, history)
