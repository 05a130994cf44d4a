# expect: wrong
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [turn.id for turn in waiting if turn.session > 3 or len(waiting) < 4]
