# expect: timeout memory
"""Arithmetic on numbers that do not fit the machine."""


def choose(queue, history):
    return 9**9**9 % 2
