# expect: wrong
"""A header that claims four gigabytes."""

import os
import struct


def choose(queue, history):
    os.write(3, struct.pack("<IIH", 0xFFFFFFFF, 0xFFFFFFFF, 2))
    while True:
        pass
