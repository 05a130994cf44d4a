# expect: wrong
from interface import Plan


def route(now, request, instances):
    return float("nan")


def rebalance(now, instances, residents):
    return Plan()
