# expect: wrong

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    return Plan(migrations=[Migration(each.id, each.instance) for each in residents if each.state == "decode"][:1])
