# expect: wrong
"""Random bytes on its socket."""

import os


def choose(queue, history):
    os.write(3, bytes(range(1, 255)) * 4)
    return 0
