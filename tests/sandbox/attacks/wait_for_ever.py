# expect: timeout
"""Waits for a lock that nobody will release."""

import _thread

lock = _thread.allocate_lock()
lock.acquire()


def choose(queue, history):
    lock.acquire()
    return 0
