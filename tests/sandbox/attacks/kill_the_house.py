# expect: denied
"""Signals to the fork-server, the referee, its group and everybody."""

import os
import signal


def choose(queue, history):
    refused = None
    for target in (os.getppid(), os.getppid() - 1, os.getppid() - 2, 1, -1, 0, os.getpid() + 1):
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, 0):
            try:
                os.kill(target, number)
            except PermissionError as error:
                refused = error
            else:
                raise AssertionError(f"LEAK signal to {target}")
    raise refused
