# expect: wrong
def retain(now, session, engine):
    return None


def order(now, waiting, engine):
    return [turn.id for turn in waiting]
