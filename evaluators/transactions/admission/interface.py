"""The interface of online transaction admission."""

import msgspec


class Pending(msgspec.Struct):
    """A transaction that waits to be started.

    `keys[p]` is what operation p touches, and `writes[p]` whether it writes it (and so locks it exclusively).
    `aborts` counts how often it was started and aborted.
    """

    id: int
    kind: str
    keys: list[int]
    writes: list[bool]
    arrived: float
    aborts: int


class Running(msgspec.Struct):
    """A transaction that an executor runs now.

    `position` is the operation that it executes or awaits; len(keys) during the commit. It holds the locks of all
    operations before, and of this one unless `waiting`: then another transaction is in its way.
    """

    id: int
    kind: str
    keys: list[int]
    writes: list[bool]
    arrived: float
    aborts: int
    started: float
    position: int
    waiting: bool


def next_transaction(now: float, pending: list[Pending], running: list[Running]) -> int:
    """Choose the transaction that a free executor starts now.

    Called in order of time and in one process whenever an executor is free and something is pending, and again after
    each start while that is so. Module-level variables keep their values between the calls of one workload.

    Args:
        now: The time; one operation takes 1.
        pending: In order of arrival, the earliest 32 if there are more. At least one.
        running: In order of their starts; fewer than there are executors.

    Returns:
        The id of a pending transaction; or -1 to leave the executor idle until the next arrival, commit, abort or end
        of a back-off, which is only allowed while something is running.
    """
    raise NotImplementedError
