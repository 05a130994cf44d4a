# expect: wrong
"""Eight megabytes of zeros."""


def choose(queue, history):
    return [0] * (8 * 2**20)
