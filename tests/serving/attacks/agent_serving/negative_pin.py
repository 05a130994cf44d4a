# expect: wrong
from interface import Retention


def retain(now, session, engine):
    return Retention(-1.0)


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
