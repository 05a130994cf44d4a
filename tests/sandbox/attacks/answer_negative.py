# expect: wrong
"""Python would take -1 for the last."""


def choose(queue, history):
    return -1
