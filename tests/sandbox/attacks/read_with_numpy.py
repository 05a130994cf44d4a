# expect: denied
"""Reads files through numpy's own readers."""

import os

import numpy as np


def choose(queue, history):
    refused = None
    os.closerange(0, 3)  # makes room under the limit of open files
    for read in (
        lambda: np.fromfile("/etc/passwd", dtype=np.uint8),
        lambda: np.memmap("/etc/passwd", dtype=np.uint8, mode="r"),
        lambda: np.load(numpy_file()),
        lambda: np.loadtxt("/etc/passwd", dtype=str),
    ):
        try:
            raise AssertionError(f"LEAK {read()[:20]}")
        except OSError as error:
            refused = error
    raise refused


def numpy_file():
    return np.__file__
