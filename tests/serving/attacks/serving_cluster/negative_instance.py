# expect: wrong
from interface import Plan


def route(now, request, instances):
    return -1


def rebalance(now, instances, residents):
    return Plan()
