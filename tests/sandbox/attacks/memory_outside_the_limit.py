# expect: ok
"""Memory that address space limits do not see: files in memory, shared segments, pipes."""

import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    assert libc.memfd_create(b"hoard", 0) == -1, "LEAK memfd"
    assert libc.shmget(0, 1 << 30, 0o1600) == -1, "LEAK shm"
    assert libc.pipe((ctypes.c_int * 2)()) == -1, "LEAK pipe"
    assert libc.eventfd(0, 0) == -1, "LEAK eventfd"
    assert libc.mlockall(3) == -1, "LEAK mlockall"
    assert libc.setrlimit(9, (ctypes.c_ulong * 2)(1 << 40, 1 << 40)) == -1, "LEAK setrlimit"
    assert libc.mmap(None, ctypes.c_size_t(1 << 34), 3, 0x21, -1, ctypes.c_long(0)) == -1, "LEAK mmap"
    return 0
