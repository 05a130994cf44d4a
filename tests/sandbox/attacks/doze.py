# expect: timeout
"""Sleeps in naps, between which it runs for a moment: no CPU time, and a slot held for minutes."""

import _thread

lock = _thread.allocate_lock()
lock.acquire()


def choose(queue, history):
    for _ in range(60):
        lock.acquire(True, 0.04)
    return 0
