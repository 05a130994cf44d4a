# expect: wrong
def route(now, request, instances):
    return {"instance": 0, "gap_closed": 1.0}


def rebalance(now, instances, residents):
    return {"gap_closed": 1.0}
