# expect: ok
"""Scans its address space, inherited from the fork-server, for the simulator, keys and earlier candidates."""

import ctypes
import platform
import re

SECRET = re.compile(b"(evaluator|environment|candidate)-canary-[0-9]")
PAGE = 4096
libc = ctypes.CDLL(None, use_errno=True)
sigprocmask = {"x86_64": 14, "aarch64": 135}[platform.machine()]


def mapped(address):
    """The kernel reads the signal set before it sees that there is no operation 99."""
    ctypes.set_errno(0)
    libc.syscall(sigprocmask, 99, ctypes.c_void_p(address), None, 8)
    return ctypes.get_errno() == 22


def choose(queue, history):
    if len(history):
        return 0
    scanned = 0
    for anchor in (id(None), id(queue), id(SECRET), history.ctypes.data, id(bytearray(10**6))):
        for step in (PAGE, -PAGE):
            address = anchor & ~(PAGE - 1)
            for _ in range(500):
                if not mapped(address):
                    break
                found = SECRET.search(ctypes.string_at(address, PAGE))
                assert not found, f"LEAK {found}"
                address += step
                scanned += 1
    assert scanned > 1000
    return 0
