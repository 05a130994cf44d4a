# expect: ok
from interface import Retention


def retain(now, session, engine):
    return Retention(0.0, "swap")


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
