# expect: crash
"""Ends the process as if all were well."""

import os


def choose(queue, history):
    os._exit(0)
