# expect: wrong
"""A float where an integer is due."""


def choose(queue, history):
    return 0.5
