# expect: wrong
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [turn.id + 1 for turn in waiting]
