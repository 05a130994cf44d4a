# expect: wrong
def retain(now, session, engine):
    return 5.0


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
