# expect: denied
"""Names, sizes and dates of files, without reading them."""

import os


def choose(queue, history):
    refused = None
    os.closerange(0, 3)  # makes room under the limit of open files
    for look in (
        lambda: os.listdir("/"),
        lambda: list(os.scandir("/")),
        lambda: os.stat("/etc/passwd"),
        os.getcwd,
        lambda: os.lstat("/root"),
        lambda: os.readlink("/proc/self/exe"),
        lambda: os.statvfs("/"),
        lambda: os.chdir("/"),
        lambda: os.listxattr("/"),
    ):
        try:
            raise AssertionError(f"LEAK {look()}")
        except OSError as error:
            refused = error
    assert not os.path.exists("/etc") and not os.access("/", os.R_OK)
    raise refused
