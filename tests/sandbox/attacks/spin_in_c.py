# expect: timeout
"""Never returns to the interpreter."""


def choose(queue, history):
    return sum(range(10**13)) * 0
