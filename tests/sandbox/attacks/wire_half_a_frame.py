# expect: timeout
"""The beginning of an answer, and then silence."""

import os
import struct


def choose(queue, history):
    os.write(3, struct.pack("<IIH", 100, 0, 2) + b"\x90")
    os.read(3, 1)
