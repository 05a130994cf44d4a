# expect: crash
from interface import Plan


def route(now, request, instances):
    if sum(each.waiting for each in instances) > 0 or now > 100.0:
        raise RuntimeError("too crowded")
    return 0


def rebalance(now, instances, residents):
    return Plan()
