# expect: wrong
"""An integer of a thousand bits."""


def choose(queue, history):
    return 1 << 1000
