# expect: ok
"""Replaces the functions that carry its answers, so that they answer for it."""

import gc
import time

import msgspec
from adrs.sandbox import child, wire

original = wire.Channel.send


def send(self, kind, value):
    return original(self, kind, 0 if value == 10**6 else value)


wire.Channel.send = send
msgspec.msgpack.Encoder = msgspec.msgpack.Decoder = None
time.perf_counter = time.process_time = lambda: 0.0
child.Failure = None
gc.disable()


def choose(queue, history):
    return 10**6
