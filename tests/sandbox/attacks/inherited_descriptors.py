# expect: ok
"""Any open file or socket besides its own would lead out."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    for descriptor in range(4, 4096):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        raise AssertionError(f"LEAK descriptor {descriptor}")
    for descriptor in range(3):
        assert libc.lseek(descriptor, 0, 1) <= 0
        try:
            assert os.read(descriptor, 10) == b"", "LEAK"
        except OSError:
            pass
    return 0
