# expect: denied
"""Stops itself, so that the referee would wait."""

import os
import signal


def choose(queue, history):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 0
