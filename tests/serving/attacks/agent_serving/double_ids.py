# expect: wrong
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [waiting[0].id for turn in waiting]
