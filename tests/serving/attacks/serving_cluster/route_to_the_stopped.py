# expect: wrong
from interface import Plan


def route(now, request, instances):
    return next((each.id for each in instances if each.state != "ready"), 0)


def rebalance(now, instances, residents):
    return Plan(stop=[1] if instances[1].state == "ready" else [])
