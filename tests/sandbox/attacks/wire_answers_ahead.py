# expect: wrong
"""Answers the calls to come before they are made."""

import os
import struct

os.write(3, (struct.pack("<IIH", 1, 0, 2) + b"\xc0") + (struct.pack("<IIH", 1, 0, 2) + b"\x00") * 50)


def choose(queue, history):
    return 0
