# expect: ok

from interface import Plan


def route(now, request, instances):
    return min((each.running + each.waiting, each.id) for each in instances if each.state == "ready")[1]


def rebalance(now, instances, residents):
    """Stop and start, again and again: an instance that drains does not stop costing."""
    draining = [each.id for each in instances if each.state != "ready" and each.state != "starting"]
    return Plan(start=draining, stop=[each.id for each in instances[1:] if each.state == "ready"])
