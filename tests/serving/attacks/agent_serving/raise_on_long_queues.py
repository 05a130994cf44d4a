# expect: crash
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    if len(waiting) > 3:
        raise RuntimeError("too many")
    return [turn.id for turn in waiting]
