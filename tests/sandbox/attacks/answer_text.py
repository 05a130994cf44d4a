# expect: wrong
"""A text that looks like a number."""


def choose(queue, history):
    return "0"
