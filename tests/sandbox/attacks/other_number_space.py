# expect: ok
"""The x32 system calls: the same table with another bit set."""

import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    for number in (2, 56, 57, 41, 59):
        assert libc.syscall(ctypes.c_long(0x40000000 + number), 0, 0, 0, 0, 0, 0) == -1, "LEAK"
    return 0
