# expect: wrong

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    decoding = [each for each in residents if each.state == "decode"]
    return Plan(migrations=[Migration(each.id, 1 - each.instance) for each in decoding[:1] for _ in (1, 2)])
