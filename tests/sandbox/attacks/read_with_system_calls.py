# expect: ok
"""Opens files with every system call that can, past all of Python."""

import ctypes

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100


def choose(queue, history):
    path = ctypes.c_char_p(b"/etc/passwd")
    how = (ctypes.c_uint64 * 3)(0, 0, 0)
    attempts = {
        "open": lambda: libc.open(path, 0),
        "fopen": lambda: libc.fopen(path, b"r") or -1,
        "openat": lambda: libc.syscall(257, AT_FDCWD, path, 0),
        "openat2": lambda: libc.syscall(437, AT_FDCWD, path, how, 24),
        "open_tree": lambda: libc.syscall(428, AT_FDCWD, path, 0),
        "opendir": lambda: libc.opendir(b"/") or -1,
        "access": lambda: libc.access(path, 0),
        "chdir": lambda: libc.chdir(b"/tmp"),
        "statx": lambda: libc.syscall(332, AT_FDCWD, path, 0, 0xFFF, ctypes.create_string_buffer(256)),
    }
    for name, attempt in attempts.items():
        assert attempt() == -1, f"LEAK {name} succeeded"
    return 0
