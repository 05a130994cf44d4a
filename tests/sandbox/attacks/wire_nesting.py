# expect: wrong
"""A million opened lists."""

import os
import struct


def choose(queue, history):
    body = b"\x91" * 10**6
    data = struct.pack("<IIH", len(body), 0, 2) + body
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
