# expect: denied
"""Fills the disk, wherever it may write."""


def choose(queue, history):
    refused = None
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", ".", "/root", "/home"):
        try:
            with open(f"{folder}/adrs-attack", "wb") as file:
                file.write(bytes(1 << 30))
            raise AssertionError("LEAK wrote")
        except OSError as error:
            refused = error
    raise refused
