# expect: wrong
"""One past the end."""


def choose(queue, history):
    return len(queue)
