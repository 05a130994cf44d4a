# expect: crash
"""Reports a failure of its own, with a status of the search and without a word."""

import os
import struct


def choose(queue, history):
    data = b"\x82\xa6status\xa5raced\xa7message\xa0"
    os.write(3, struct.pack("<IIH", len(data), 0, 3) + data)
    while True:
        pass
