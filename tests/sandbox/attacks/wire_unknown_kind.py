# expect: crash wrong
"""A frame of a kind that there is not."""

import os
import struct


def choose(queue, history):
    os.write(3, struct.pack("<IIH", 1, 0, 60000) + b"\x00")
    while True:
        pass
