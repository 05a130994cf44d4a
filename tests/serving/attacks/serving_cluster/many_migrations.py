# expect: wrong
from interface import Migration, Plan


def route(now, request, instances):
    return 0


def rebalance(now, instances, residents):
    return Plan(migrations=[Migration(each.id, 1) for each in residents if each.state == "decode"] * 20_000)
