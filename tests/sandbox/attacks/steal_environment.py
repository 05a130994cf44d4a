# expect: ok
"""Keys in the environment, as Python and as C see it, and in the arguments."""

import ctypes
import os
import sys

libc = ctypes.CDLL(None)


def choose(queue, history):
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    seen = [*os.environ, *os.environ.values(), *sys.argv, *sys.orig_argv]
    position = 0
    while environ[position] is not None:
        seen.append(environ[position].decode(errors="replace"))
        position += 1
    for text in seen:
        for secret in ("canary", "OPENAI", "API_KEY", "TOKEN"):
            assert secret not in text, f"LEAK {text}"
    return 0
