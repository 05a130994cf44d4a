# expect: denied
"""Threads that go on computing between calls and after the answer."""

import _thread


def work():
    while True:
        pass


def choose(queue, history):
    while True:
        _thread.start_new_thread(work, ())
