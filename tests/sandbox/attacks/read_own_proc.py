# expect: denied
"""Its own environment, memory map and descriptors through /proc."""

import os


def choose(queue, history):
    refused = None
    os.closerange(0, 3)  # makes room under the limit of open files
    for name in (
        "environ",
        "maps",
        "mem",
        "cmdline",
        "fd/0",
        "fd/3",
        "fdinfo/3",
        "root/etc/passwd",
        "cwd",
        "task",
        "status",
    ):
        try:
            with open(f"/proc/self/{name}", "rb") as file:
                raise AssertionError(f"LEAK {file.read(200)}")
        except OSError as error:
            refused = error
    raise refused
