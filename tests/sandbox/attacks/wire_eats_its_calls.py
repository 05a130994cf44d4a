# expect: ok
"""Reads the next call away from under the loop that serves it."""

import os
import struct


def choose(queue, history):
    for _ in range(1000):
        os.write(3, struct.pack("<IIH", 1, 0, 2) + b"\x00")
        os.read(3, 65536)
    return 0
