# expect: denied
"""Sleeps instead of computing: no CPU time, and a slot held."""

import time


def choose(queue, history):
    time.sleep(3600)
    return 0
