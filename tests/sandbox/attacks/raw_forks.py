# expect: ok
"""Makes processes and threads by the bare system calls."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
CLONE_THREAD, CLONE_SIGHAND, CLONE_VM, CLONE_NEWUSER, SIGCHLD = 0x10000, 0x800, 0x100, 0x10000000, 17


def choose(queue, history):
    here = os.getpid()
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, SIGCHLD)
    for number, first in (
        (56, SIGCHLD),
        (56, CLONE_NEWUSER | SIGCHLD),
        (57, 0),
        (58, 0),
        (220, SIGCHLD),
        (272, CLONE_NEWUSER),
    ):
        assert libc.syscall(number, first, 0, 0, 0, 0) == -1, "LEAK process"
        assert os.getpid() == here
    assert libc.syscall(435, arguments, 88) == -1, "LEAK clone3"
    return 0
