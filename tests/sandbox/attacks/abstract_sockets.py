# expect: denied
"""Listens and connects without a file system: where two policies could meet."""

import socket


def choose(queue, history):
    try:
        left, right = socket.socketpair()
    except OSError:
        pass
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind("\0meeting-point")
    raise AssertionError("LEAK bound")
