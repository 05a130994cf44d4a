# expect: ok
"""Turns the clocks back."""

import ctypes
import time

libc = ctypes.CDLL(None, use_errno=True)
time.perf_counter = time.time = time.monotonic = lambda: 0.0


def choose(queue, history):
    moment = (ctypes.c_long * 2)(0, 0)
    assert libc.clock_settime(0, moment) == -1, "LEAK clock"
    assert libc.settimeofday(moment, None) == -1, "LEAK clock"
    return 0
