"""Evict from a cache of prefixes."""


def accessed(key: int, size: int, now: float) -> None:
    """Called at every access, hit or miss."""


def evict(keys: list[int], sizes: list[int], now: float) -> int:
    """Choose a victim.

    Returns:
        a position in `keys`.
    """
    raise NotImplementedError
