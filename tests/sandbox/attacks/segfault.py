# expect: crash
"""Reads address 0."""

import ctypes


def choose(queue, history):
    ctypes.string_at(0)
