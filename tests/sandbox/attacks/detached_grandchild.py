# expect: denied
"""Leaves a process behind that outlives the evaluation."""

import os


def choose(queue, history):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
    return 0
