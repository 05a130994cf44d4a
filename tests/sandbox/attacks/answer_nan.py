# expect: wrong
"""Not a number: compares false with every bound."""


def choose(queue, history):
    return float("nan")
