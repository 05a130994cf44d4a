# expect: wrong
"""Nothing."""


def choose(queue, history):
    return None
