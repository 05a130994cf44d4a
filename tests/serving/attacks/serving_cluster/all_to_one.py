# expect: ok
from interface import Plan


def route(now, request, instances):
    return 0


def rebalance(now, instances, residents):
    """An instance saved: the latencies cost more."""
    return Plan(stop=[each.id for each in instances[1:] if each.state == "ready"])
