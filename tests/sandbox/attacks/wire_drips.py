# expect: timeout
"""A long answer, byte by byte."""

import os
import struct


def choose(queue, history):
    os.write(3, struct.pack("<IIH", 2**22, 0, 2))
    for _ in range(2**22):
        os.write(3, b"\x90")
        for _ in range(3000):
            pass
