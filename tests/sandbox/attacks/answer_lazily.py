# expect: wrong
"""Computes its answer after the call, when it has seen more."""


def choose(queue, history):
    return (index for index in range(10))
