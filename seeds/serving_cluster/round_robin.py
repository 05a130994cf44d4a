"""Round-robin: each instance in turn, whatever its load. Nothing moves and every instance stays."""

from interface import Plan

turn = 0


def route(now, request, instances):
    global turn
    ready = [instance.id for instance in instances if instance.state == "ready"]
    turn += 1
    return ready[(turn - 1) % len(ready)]


def rebalance(now, instances, residents):
    return Plan()
