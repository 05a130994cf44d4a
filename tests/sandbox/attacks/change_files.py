# expect: denied
"""Removes, renames, links and chmods."""

import os


def choose(queue, history):
    refused = None
    for change in (
        lambda: os.remove("/tmp/x"),
        lambda: os.mkdir("/tmp/adrs-attack"),
        lambda: os.rename("/tmp/a", "/tmp/b"),
        lambda: os.symlink("/etc/passwd", "/tmp/adrs-attack"),
        lambda: os.chmod("/tmp", 0o777),
        lambda: os.mkfifo("/tmp/f"),
        lambda: os.truncate("/etc/hostname", 0),
        lambda: os.utime("/tmp"),
        lambda: os.chown("/tmp", 0, 0),
    ):
        try:
            raise AssertionError(f"LEAK {change()}")
        except OSError as error:
            refused = error
    raise refused
