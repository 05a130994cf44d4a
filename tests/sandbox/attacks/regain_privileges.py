# expect: ok
"""Takes back what the jail took: uid, capabilities, limits, filters, death with the parent."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def choose(queue, history):
    for attempt in (
        lambda: libc.setuid(0),
        lambda: libc.setresuid(0, 0, 0),
        lambda: libc.prctl(4, 1, 0, 0, 0),
        lambda: libc.prctl(1, 0, 0, 0, 0),
        lambda: libc.prctl(22, 0, 0, 0, 0),
        lambda: libc.nice(-20),
        lambda: libc.unshare(0x10000000),
        lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        lambda: libc.chroot(b"/"),
        lambda: libc.setns(0, 0),
        lambda: libc.setsid(),
        lambda: libc.personality(0),
        lambda: libc.sched_setaffinity(0, 8, ctypes.create_string_buffer(b"\xff" * 8)),
    ):
        assert attempt() == -1, "LEAK"
    assert os.getuid() == os.geteuid()
    return 0
