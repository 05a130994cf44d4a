# expect: ok
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    return [turn.id for turn in sorted(waiting, key=lambda turn: turn.session < 3)]
