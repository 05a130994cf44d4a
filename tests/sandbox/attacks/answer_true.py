# expect: wrong
"""A bool where an integer is due."""


def choose(queue, history):
    return True
