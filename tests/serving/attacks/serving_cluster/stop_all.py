# expect: wrong

from interface import Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    return Plan(stop=[each.id for each in instances if each.state == "ready"])
