# expect: crash
"""Closes its socket and goes on."""

import os


def choose(queue, history):
    os.close(3)
    while True:
        pass
