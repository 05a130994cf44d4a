# expect: crash
"""Reports that the house failed, so that the run would stop, or that all is well."""

from adrs.sandbox import child, wire


def choose(queue, history):
    import sys

    channel = sys._getframe().f_back.f_locals["channel"]
    channel.send(wire.FAILURE, child.Failure("sandbox_unavailable", "stop the run"))
    while True:
        pass
