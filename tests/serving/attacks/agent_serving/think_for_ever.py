# expect: timeout
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    while True:
        pass
