"""A worker process of the offline proposer: tasks come in on stdin, results go out on stdout, one at a time.

Messages are JSON, each after its length in four bytes. The worker ends with its parent: at the end of its input, or at
once by the kernel's signal on Linux. Ctrl-C is the parent's affair.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import BinaryIO

import msgspec

from adrs.proposers.offline.mutate import Result, Task, mutate

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Run as `python -m adrs.proposers.offline.worker PARENT_PID`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(int(sys.argv[1]))
    decoder = msgspec.json.Decoder(Task)
    while (message := _read(sys.stdin.buffer)) is not None:
        reply = msgspec.json.encode(_result(decoder.decode(message)))
        sys.stdout.buffer.write(len(reply).to_bytes(4, "big") + reply)
        sys.stdout.buffer.flush()


def _result(task: Task) -> Result:
    try:
        return mutate(task)
    except Exception as error:  # a source that an operator was not made for costs a slot, not the run
        return Result(None, error=f"{type(error).__name__}: {error}")


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        sys.exit(0)


def _read(stream: BinaryIO) -> bytes | None:
    """One message, None at the end of the stream."""
    length = stream.read(4)
    if len(length) < 4:
        return None
    message = stream.read(int.from_bytes(length, "big"))
    return message if len(message) == int.from_bytes(length, "big") else None


if __name__ == "__main__":
    main()
