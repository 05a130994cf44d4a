# expect: timeout
"""Catches whatever would stop it."""

import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def choose(queue, history):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
