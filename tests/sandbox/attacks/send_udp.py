# expect: denied
"""Sends data out by datagrams and by name look-ups."""

import socket


def choose(queue, history):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_STREAM):
        for family in (
            socket.AF_INET,
            socket.AF_INET6,
            socket.AF_UNIX,
            socket.AF_NETLINK,
            socket.AF_PACKET,
            socket.AF_ALG,
        ):
            try:
                socket.socket(family, kind)
            except PermissionError as error:
                refused = error
                continue
            raise AssertionError("LEAK socket")
    try:
        socket.getaddrinfo("canary.example.org", 80)
    except OSError:
        raise refused
    raise AssertionError("LEAK resolved")
