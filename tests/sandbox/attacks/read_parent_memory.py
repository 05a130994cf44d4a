# expect: ok
"""Reads and traces its parent with system calls made for debuggers."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    buffer = ctypes.create_string_buffer(64)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
    remote = (ctypes.c_size_t * 2)(id(None), 64)
    for pid in (os.getppid(), os.getpid() - 1, os.getpid() + 1, 1):
        assert libc.process_vm_readv(pid, local, 1, remote, 1, 0) == -1, "LEAK process_vm_readv"
        assert libc.process_vm_writev(pid, local, 1, remote, 1, 0) == -1, "LEAK process_vm_writev"
        assert libc.ptrace(16, pid, 0, 0) == -1, "LEAK ptrace attach"
        assert libc.syscall(434, pid, 0) == -1, "LEAK pidfd_open"
        assert libc.syscall(312, pid, os.getpid(), 0, 0, 0) == -1, "LEAK kcmp"
    for descriptor in range(64):
        assert libc.syscall(438, descriptor, 0, 0) == -1, "LEAK pidfd_getfd"
    return 0
