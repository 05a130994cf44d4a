# expect: wrong
"""Arrays of impossible shapes over a few bytes."""

import os
import struct


def choose(queue, history):
    extension = struct.pack("<BBQ", 11, 2, 2**63 - 1) + struct.pack("<QQ", 2**33, 2**33)
    body = bytes([0xC7, len(extension), 1]) + extension
    os.write(3, struct.pack("<IIH", len(body), 8, 2) + body + bytes(8))
    while True:
        pass
