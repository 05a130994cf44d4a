# expect: ok
from interface import Plan

turn = 0


def route(now, request, instances):
    """Round-robin, and everything that was shown is written over."""
    global turn
    turn += 1
    request.prompt_tokens = 1
    for each in instances:
        each.state, each.free_blocks, each.running = "stopped", 10**9, 0
    return (turn - 1) % 2


def rebalance(now, instances, residents):
    instances.clear()
    for each in residents:
        each.state, each.tokens = "waiting", 0
    residents.clear()
    return Plan()
