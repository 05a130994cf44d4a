# expect: wrong
"""Fills its socket without end."""

import os


def choose(queue, history):
    while True:
        os.write(3, bytes(2**16))
