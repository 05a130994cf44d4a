# expect: wrong
from interface import Plan


def route(now, request, instances):
    return len(instances)


def rebalance(now, instances, residents):
    return Plan()
