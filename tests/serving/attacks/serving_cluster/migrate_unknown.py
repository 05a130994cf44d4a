# expect: wrong

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    return Plan(migrations=[Migration(10**9, 0)])
