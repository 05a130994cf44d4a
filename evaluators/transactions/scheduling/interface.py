"""The interface of offline transaction scheduling."""

import msgspec


class Transaction(msgspec.Struct):
    """Operation p touches keys[p] in the p-th unit of time after the transaction's start (p = 0, 1, ...).

    A transaction may use a key more than once. Keys are small integers without a meaning of their own.
    """

    id: int  # 0, 1, ... in order of arrival
    kind: str  # type of transaction, for example "new_order"
    keys: list[int]
    writes: list[bool]  # whether operation p writes its key; otherwise it reads it


def schedule(transactions: list[Transaction]) -> list[int]:
    """Decide in which order a batch of transactions is executed, so that it is done as early as possible.

    The order is executed append-only. Each transaction starts at the earliest time s >= 0 at which, for every p,

    - if operation p reads its key, s + p is later than every write of that key, and
    - if operation p writes its key, s + p is later than every operation on that key,

    by the transactions *before it in the order* (operations of one transaction do not hold up each other). Later
    transactions never change the start of earlier ones, but they may start before them where nothing is in the way.
    The makespan is the largest s + len(keys). So keep for each key the time of its last write and of its last
    operation, append, and the makespan of an order is known in one pass.

    Called once for each batch, in a fresh process. The planner's budget is 2 CPU seconds (limits.call_seconds);
    batches have 100 to 500 transactions.

    Args:
        transactions: The batch, in order of arrival: transactions[i].id == i.

    Returns:
        The ids in the order of execution, each exactly once.
    """
    raise NotImplementedError
