# expect: timeout
"""Each call stays below the limit of a call; all together do not."""

import time


def choose(queue, history):
    end = time.process_time() + 0.15
    while time.process_time() < end:
        pass
    return 0
