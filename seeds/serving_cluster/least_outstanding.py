"""Least outstanding requests (join the shortest queue): the instance with the fewest requests, running and waiting.

Of equals the first. What most load balancers offer ("least connections"); it knows nothing of tokens or memory.
"""

from interface import Plan


def route(now, request, instances):
    ready = [instance for instance in instances if instance.state == "ready"]
    return min(ready, key=lambda instance: instance.running + instance.waiting).id


def rebalance(now, instances, residents):
    return Plan()
