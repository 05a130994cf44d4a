"""Eviction by recency, frequency and size, after GreedyDual-Size-Frequency (Cherkasova 1998)."""

import math

_last = {}
_count = {}
_birth = {}

FREQUENCY_WEIGHT = 0.1
RECENCY_WEIGHT = 1.0
SIZE_WEIGHT = 0.0
FORGET_AFTER = 5000.0


def accessed(key, size, now):
    """Remember when and how often a key was used."""
    if key not in _birth:
        _birth[key] = now
    _last[key] = now
    _count[key] = _count.get(key, 0) + 1
    if len(_last) > 4000:
        forget(now)


def forget(now):
    """Drop what has not been used for long."""
    old = [key for key, last in _last.items() if now - last > FORGET_AFTER]
    for key in old:
        _last.pop(key, None)
        _count.pop(key, None)
        _birth.pop(key, None)


def idle(key, now):
    """Seconds since the last access."""
    return now - _last.get(key, 0.0)


def rate(key, now):
    """Accesses a second since the first."""
    age = now - _birth.get(key, now) + 1.0
    return _count.get(key, 0) / age


def worth(key: int, size: int, now: float) -> float:
    """Larger is kept longer."""
    recency = RECENCY_WEIGHT * idle(key, now)
    frequency = FREQUENCY_WEIGHT * math.log1p(_count.get(key, 0))
    bulk = SIZE_WEIGHT * size
    return recency + frequency + rate(key, now) - bulk


def evict(keys, sizes, now):
    """The least worth keeping."""
    victim = 0
    lowest = worth(keys[0], sizes[0], now)
    for position in range(1, len(keys)):
        value = worth(keys[position], sizes[position], now)
        if value < lowest:
            victim = position
            lowest = value
    return victim
