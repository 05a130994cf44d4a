# expect: ok
"""Signals by the bare system calls, to threads of others and through its socket."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    parent = os.getppid()
    information = ctypes.create_string_buffer(128)
    for number in (62, 200, 129):  # kill, tkill, rt_sigqueueinfo
        assert libc.syscall(number, parent, 9, information) == -1, "LEAK"
    for number in (234, 297):  # tgkill, rt_tgsigqueueinfo
        assert libc.syscall(number, parent, parent, 9, information) == -1, "LEAK"
    for command in (8, 10, 15):  # F_SETOWN, F_SETSIG, F_SETOWN_EX
        assert libc.fcntl(3, command, parent) == -1, "LEAK fcntl"
    assert libc.killpg(0, 9) == -1
    return 0
