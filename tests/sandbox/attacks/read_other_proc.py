# expect: denied
"""The environment and the memory of its parent and of every other process through /proc."""

import os


def choose(queue, history):
    refused = None
    for pid in (os.getppid(), *range(1, 2000)):
        for name in ("environ", "mem", "cmdline", "stat"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    raise AssertionError(f"LEAK {file.read(200)}")
            except OSError as error:
                refused = error
    raise refused
