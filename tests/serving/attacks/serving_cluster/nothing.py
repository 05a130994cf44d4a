# expect: wrong
def route(now, request, instances):
    return 0


def rebalance(now, instances, residents):
    return None
