# expect: wrong

from interface import Migration, Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    moving = [each for each in residents if each.state in ("prefill", "moving")]
    rest = [each for each in residents if each.state == "decode"]
    return Plan(migrations=[Migration(each.id, (each.instance + 1) % 2) for each in moving or rest])
